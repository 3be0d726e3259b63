//! The files that `make install` installs with the program: manual page, completion scripts, links.

use std::io::{self, Write};

use clap::ValueEnum;
use clap_complete::Shell;

use super::definition::{EXAMPLES, LINKS, MANUAL, NAME, STATUS, command};
use super::manual::Page;
use super::socket_type::SocketType;

/// Prints the product of `--generate`.
///
/// # Errors
/// Those of the writer.
pub(crate) fn generate(product: &str, output: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    if product == MANUAL {
        let see_also = &[("nntop", 1), ("nanomsg", 7), ("nn_env", 7), ("nn_monitor", 7), ("nn_tls", 7)];
        Page { command: command(), status: STATUS, examples: &EXAMPLES, see_also }.write(&mut text)?;
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
