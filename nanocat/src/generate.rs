//! The files that `make install` installs with the program: manual page, completion scripts, links.

use std::io::{self, Write};

use clap::ValueEnum;
use clap_complete::Shell;
use clap_mangen::Man;

use super::definition::{EXAMPLES, LINKS, MANUAL, NAME, STATUS, command};
use super::socket_type::SocketType;

/// Prints the product of `--generate`.
///
/// # Errors
/// Those of the writer.
pub(crate) fn generate(product: &str, output: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    if product == MANUAL {
        manual(&mut text)?;
    } else if product == LINKS {
        for socket_type in SocketType::ALL {
            writeln!(text, "nn_{}", socket_type.option())?;
        }
    } else {
        // The definition of the argument allows no other values.
        let shell = Shell::from_str(product, false).map_err(io::Error::other)?;
        clap_complete::generate(shell, &mut command(), NAME, &mut text);
    }
    output.write_all(&text)
}

fn manual(text: &mut Vec<u8>) -> io::Result<()> {
    let page = Man::new(command());
    writeln!(text, ".TH NANOCAT 1 \"\" \"\" nanomsg")?;
    page.render_name_section(text)?;
    page.render_synopsis_section(text)?;
    page.render_description_section(text)?;
    page.render_options_section(text)?;
    writeln!(text, ".SH \"EXIT STATUS\"\n{}\n.SH EXAMPLES", roff(STATUS))?;
    for (what, commands) in EXAMPLES {
        writeln!(text, ".PP\n{}:\n.PP\n.RS 4\n.nf\n{}\n.fi\n.RE", roff(what), roff(&commands.join("\n")))?;
    }
    writeln!(text, ".SH \"SEE ALSO\"\n.BR nanomsg (7)")
}

/// Escapes text for a manual page. No line of the texts begins with a dot or a quote.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}
