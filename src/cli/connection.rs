//! Which server a client command talks to, and in which form it prints the reply.

use clap::{Args, ValueEnum};

pub use crate::client::ServerUrl;

/// The options that every client command takes.
#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// The server to ask
    #[arg(
        long,
        value_name = "URL",
        env = "SRVD_SERVER",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8053"
    )]
    #[arg(help_heading = "Server")]
    pub server: ServerUrl,
    /// A table for people, or the JSON body of the reply as it came; then failures are JSON, too, on standard error
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Output::Table, help_heading = "Server")]
    pub output: Output,
}

/// The form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// The body of the server's reply, unchanged.
    Json,
}
