//! Manual pages, made from the definitions of the arguments.

use std::io::{self, Write};

use clap::Command;
use clap_mangen::Man;

/// The manual page of a program.
pub(crate) struct Page<'a> {
    /// The definition of its arguments.
    pub command: Command,
    /// What its exit status means.
    pub status: &'a str,
    /// Examples: a description, and the commands.
    pub examples: &'a [(&'a str, &'a [&'a str])],
    /// Other pages, with their sections.
    pub see_also: &'a [(&'a str, u8)],
}

impl Page<'_> {
    /// Writes the page.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn write(self, text: &mut Vec<u8>) -> io::Result<()> {
        writeln!(text, ".TH {} 1 \"\" \"\" nanomsg", self.command.get_name().to_uppercase())?;
        let page = Man::new(self.command);
        page.render_name_section(text)?;
        page.render_synopsis_section(text)?;
        page.render_description_section(text)?;
        page.render_options_section(text)?;
        writeln!(text, ".SH \"EXIT STATUS\"\n{}\n.SH EXAMPLES", roff(self.status))?;
        for (what, commands) in self.examples {
            let commands = roff(&commands.join("\n"));
            writeln!(text, ".PP\n{}:\n.PP\n.RS 4\n.nf\n{commands}\n.fi\n.RE", roff(what))?;
        }
        let pages: Vec<_> =
            self.see_also.iter().map(|(name, section)| format!(".BR {name} ({section})")).collect();
        writeln!(text, ".SH \"SEE ALSO\"\n{}", pages.join(" ,\n"))
    }
}

/// Escapes text for a manual page. No line of the texts begins with a dot or a quote.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}
