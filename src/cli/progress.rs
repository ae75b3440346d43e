//! How far long work has come, on standard error and only where that is a terminal.
//!
//! indicatif draws, and stays in this file.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Redrawn that many times a second, at most.
const REDRAWS: u8 = 10;

/// Work under way.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Work on so many octets, or on nobody knows how many. Nothing is drawn unless `is_shown`, and unless standard error
    /// is a terminal.
    pub(super) fn of_octets(what: &'static str, octets: Option<u64>, is_shown: bool) -> Self {
        let target = match is_shown {
            true => ProgressDrawTarget::stderr_with_hz(REDRAWS),
            false => ProgressDrawTarget::hidden(),
        };
        let (bar, template) = match octets {
            Some(octets) => {
                (ProgressBar::with_draw_target(Some(octets), target), "{msg} {wide_bar} {percent}% ({eta} left)")
            }
            None => (ProgressBar::with_draw_target(None, target), "{msg} {spinner} {bytes}"),
        };
        let style = ProgressStyle::with_template(template).expect("a template that a test has read");
        Self(bar.with_style(style).with_message(what))
    }

    /// So many octets are done.
    pub(super) fn at(&self, octets: u64) {
        self.0.set_position(octets);
    }

    /// Takes it off the screen.
    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_drawn_from_their_templates() {
        for octets in [Some(100), None] {
            let progress = Progress::of_octets("working", octets, false);
            progress.at(50);
            assert_eq!((progress.0.position(), progress.0.length()), (50, octets));
            progress.finish();
        }
    }
}
