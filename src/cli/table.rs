//! Tables in the terminal: columns without lines, as wide as the terminal, coloured only there.
//!
//! What is empty, or the usual, in every row has no column. comfy-table lays out and stays in this file.

use std::io::IsTerminal;

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Row, Table, Width, presets};

/// Spaces between columns.
const GAP: u16 = 2;
/// Values up to that width are not wrapped where the terminal has room.
const WHOLE: u16 = 10;

/// What the output can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Screen {
    /// Columns to wrap at; none for output that is no terminal, where each row stays one line.
    width: Option<u16>,
    /// Lines of the terminal; none for output that is no terminal.
    height: Option<u16>,
    colours: bool,
}

impl Screen {
    /// A pipe or a file.
    #[cfg(test)]
    pub(super) const PLAIN: Self = Self { width: None, height: None, colours: false };

    /// A terminal of that size, without colours.
    #[cfg(test)]
    pub(super) const fn sized(width: u16, height: u16) -> Self {
        Self { width: Some(width), height: Some(height), colours: false }
    }

    /// That of standard output. Colours follow the convention of <https://no-color.org>.
    pub(super) fn of_standard_output() -> Self {
        let refused = |name, by: fn(&str) -> bool| std::env::var(name).is_ok_and(|value| by(&value));
        let is_terminal = std::io::stdout().is_terminal();
        let size = is_terminal.then(ratatui::crossterm::terminal::size).and_then(Result::ok);
        Self {
            // Some terminals that are no screen say 0.
            width: size.map(|(width, _)| width).filter(|&width| width > 0),
            height: size.map(|(_, height)| height).filter(|&height| height > 0),
            colours: is_terminal
                && !refused("NO_COLOR", |value| !value.is_empty())
                && !refused("TERM", |value| value == "dumb"),
        }
    }

    pub(super) fn is_terminal(self) -> bool {
        self.width.is_some()
    }

    pub(super) fn has_colours(self) -> bool {
        self.colours
    }

    pub(super) fn height(self) -> Option<u16> {
        self.height
    }
}

/// A word and what it is here; an empty value is unknown or does not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) word: &'static str,
    pub(super) value: String,
    pub(super) is_status: bool,
    /// The value that is not worth a column while every row has it.
    common: &'static str,
}

impl Fact {
    pub(super) fn new(word: &'static str, value: String) -> Self {
        Self { word, value, is_status: false, common: "" }
    }

    /// A fact that is left out where it is `common` everywhere.
    pub(super) fn common(word: &'static str, value: String, common: &'static str) -> Self {
        Self { common, ..Self::new(word, value) }
    }

    /// A status or health, which has a colour.
    pub(super) fn status(word: &'static str, value: String) -> Self {
        Self { is_status: true, ..Self::new(word, value) }
    }

    pub(super) fn is_worth_showing(&self) -> bool {
        !self.value.is_empty() && self.value != self.common
    }

    fn cell(&self, screen: Screen) -> Cell {
        let cell = Cell::new(&self.value);
        match colour(&self.value) {
            Some(colour) if self.is_status && screen.colours => cell.fg(colour),
            _ => cell,
        }
    }
}

/// A line of words, then a line for each row. Every row has the same words in the same order.
pub(super) fn rows(rows: &[Vec<Fact>], screen: Screen) -> String {
    let words = rows.first().map_or(0, Vec::len);
    let shown: Vec<usize> = (0..words).filter(|&at| rows.iter().any(|row| row[at].is_worth_showing())).collect();
    let mut table = blank(screen);
    table.set_header(shown.iter().map(|&at| rows[0][at].word.to_uppercase()).collect::<Vec<_>>());
    for row in rows.iter().filter(|row| row.iter().any(|fact| !fact.value.is_empty())) {
        table.add_row(Row::from(shown.iter().map(|&at| row[at].cell(screen)).collect::<Vec<_>>()));
    }
    finish(table)
}

/// A line for each fact that has a value.
pub(super) fn sheet(facts: &[Fact], screen: Screen) -> String {
    let mut table = blank(screen);
    for fact in facts.iter().filter(|fact| fact.is_worth_showing()) {
        table.add_row(Row::from(vec![Cell::new(fact.word), fact.cell(screen)]));
    }
    finish(table)
}

fn blank(screen: Screen) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).force_no_tty();
    if let Some(width) = screen.width {
        table.set_width(width);
    }
    if screen.colours {
        table.enforce_styling();
    }
    table
}

fn finish(mut table: Table) -> String {
    // Short values stay whole and long ones wrap, as far as there is room for that.
    let least: Vec<u16> = table.column_max_content_widths().iter().map(|&width| width.min(WHOLE) + GAP).collect();
    let is_room =
        table.width().is_none_or(|width| least.iter().map(|&width| u32::from(width)).sum::<u32>() <= width.into());
    for (column, least) in table.column_iter_mut().zip(least) {
        column.set_padding((0, GAP));
        if is_room {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
    }
    table.trim_fmt()
}

fn colour(status: &str) -> Option<Color> {
    match status {
        "healthy" | "passed" | "passing" | "ok" => Some(Color::Green),
        "starting" | "degraded" | "note" => Some(Color::Yellow),
        "unhealthy" | "lapsed" | "down" | "failed" | "failing" | "problem" => Some(Color::Red),
        "draining" | "maintenance" => Some(Color::Blue),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(word: &'static str, value: &str) -> Fact {
        Fact::new(word, value.to_owned())
    }

    #[test]
    fn a_terminal_is_not_overrun() {
        let screen = Screen::sized(24, 9);
        let reason = "the check of port 8080 was refused again and again";
        let text = rows(&[vec![fact("instance", "a"), fact("reason", reason)]], screen);
        assert!(text.lines().count() > 2 && text.lines().all(|line| line.len() <= 24), "{text}");
        let plain = rows(&[vec![fact("instance", "a"), fact("reason", reason)]], Screen::PLAIN);
        assert_eq!(plain, format!("INSTANCE  REASON\na         {reason}"));
    }

    #[test]
    fn short_values_stay_whole_beside_long_ones() {
        let screen = Screen::sized(40, 9);
        let facts =
            [fact("instance", "web-0123-4"), fact("tags", &"tag, ".repeat(20)), fact("reason", &"word ".repeat(20))];
        let text = rows(&[facts.to_vec()], screen);
        assert!(text.contains("web-0123-4  ") && text.lines().all(|line| line.len() <= 40), "{text}");
        // Without room for that, too, every line fits.
        let text = rows(&[facts.to_vec()], Screen::sized(20, 9));
        assert!(text.lines().all(|line| line.len() <= 20), "{text}");
    }

    #[test]
    fn colours_are_for_terminals_and_statuses() {
        let facts = |screen| rows(&[vec![fact("id", "healthy"), Fact::status("status", "healthy".into())]], screen);
        assert!(!facts(Screen::sized(80, 9)).contains('\x1b'));
        let coloured = facts(Screen { colours: true, ..Screen::sized(80, 9) });
        assert_eq!(coloured.matches("\x1b[38;5;10m").count(), 1, "{coloured:?}");
    }

    #[test]
    fn empty_columns_and_facts_are_left_out() {
        let table =
            [vec![fact("a", "1"), fact("b", ""), fact("c", "")], vec![fact("a", ""), fact("b", ""), fact("c", "2")]];
        assert_eq!(rows(&table, Screen::PLAIN), "A  C\n1\n   2");
        assert_eq!(sheet(&table[0], Screen::PLAIN), "a  1");
        assert_eq!(rows(&[], Screen::PLAIN), "");
        let usual = |value: &str| vec![fact("a", "1"), Fact::common("b", value.to_owned(), "0")];
        assert_eq!(rows(&[usual("0"), usual("")], Screen::PLAIN), "A\n1\n1");
        assert_eq!(rows(&[usual("0"), usual("7")], Screen::PLAIN), "A  B\n1  0\n1  7");
        assert_eq!(sheet(&usual("0"), Screen::PLAIN), "a  1");
    }
}
