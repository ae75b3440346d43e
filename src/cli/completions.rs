//! `srvd completions`: the script with which a shell completes the command line.

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::ask;
use super::exit::Exit;

/// For which shell.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// Shell to write the script for
    shell: Shell,
}

/// Prints the script.
pub fn completions(args: &CompletionsArgs) -> ExitCode {
    let script = script(args.shell);
    match ask::print(&mut std::io::stdout(), &script) {
        Ok(_) => Exit::Done.into(),
        Err(error) => {
            // Nobody is left to be told when standard error is gone, too.
            let _ = writeln!(std::io::stderr(), "srvd: standard output: {error}");
            Exit::Refused.into()
        }
    }
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::Cli::command(), "srvd", &mut script);
    script
}

const EXAMPLES: &str = "\
Examples:
  srvd completions bash
  srvd completions zsh
  srvd completions fish
Where the scripts go:
  bash: srvd completions bash > /etc/bash_completion.d/srvd
  zsh:  srvd completions zsh > /usr/local/share/zsh/site-functions/_srvd
  fish: srvd completions fish > ~/.config/fish/completions/srvd.fish";

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_has_a_script_that_names_every_command() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(script(*shell)).unwrap();
            for command in super::super::Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
