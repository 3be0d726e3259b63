//! What `make install` lays beside the program: manual page, completion scripts, names of links.

use std::io::{self, Write};

use clap::ValueEnum;
use clap_complete::Shell;
use clap_mangen::Man;

use super::definition::{EXAMPLES, LINKS, MANUAL, NAME, STATUS, command};
use super::kind::Kind;

/// What `--generate` prints.
///
/// # Errors
/// What the writer says.
pub fn generate(product: &str, output: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    if product == MANUAL {
        manual(&mut text)?;
    } else if product == LINKS {
        for kind in Kind::ALL {
            writeln!(text, "nn_{}", kind.option())?;
        }
    } else {
        // The argument's definition has these and no others.
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

/// Text for a manual page; none of ours begins a line with a dot or a quote.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}
