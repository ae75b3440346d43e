//! The state drawn. Every size of screen is drawn on; what has no room is left out, the least important first.

use jiff::{SignedDuration, Timestamp};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Table, TableState};

use super::state::{Act, Entry, Link, Mode, State};
use crate::cli::show::{other_counts, share, text};
use crate::cli::table::Fact;

/// Columns from which on changes and checks stand beside the list and not below it.
const WIDE: u16 = 110;
/// The widest that a column but the last may be.
const COLUMN: usize = 32;

/// The look of things; plain where colours are not wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    pub(super) colours: bool,
}

impl Palette {
    fn fg(self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }

    fn status(self, status: &str) -> Style {
        match status {
            "healthy" => self.fg(Color::Green),
            "starting" | "degraded" => self.fg(Color::Yellow),
            "unhealthy" | "lapsed" | "down" => self.fg(Color::Red),
            "draining" | "maintenance" => self.fg(Color::Blue),
            _ => Style::new(),
        }
    }
}

/// Draws `state` as it is at `now`.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State, now: Timestamp, palette: Palette) {
    let rows = [Constraint::Length(3), Constraint::Min(0), Constraint::Length(1)];
    let [head, middle, foot] = Layout::vertical(rows).areas(frame.area());
    frame.render_widget(Paragraph::new(headline(state, now, palette)), head);
    frame.render_widget(Paragraph::new(footline(state, palette)), foot);
    let (list, changes, checks) = places(middle);
    draw_list(frame, state, list, palette);
    draw_changes(frame, state, changes);
    draw_checks(frame, state, checks);
    if let Mode::Asking(act) = &state.mode {
        draw_question(frame, act, palette);
    }
}

/// Where the list, the changes and the checks stand.
fn places(area: Rect) -> (Rect, Rect, Rect) {
    if area.width >= WIDE {
        let [list, side] = Layout::horizontal([Constraint::Fill(3), Constraint::Fill(2)]).areas(area);
        let [changes, checks] = Layout::vertical([Constraint::Fill(3), Constraint::Fill(2)]).areas(side);
        return (list, changes, checks);
    }
    let below = match area.height {
        0..12 => [0, 0],
        12..20 => [5, 0],
        _ => [6, 6],
    };
    let rows = [Constraint::Min(0), Constraint::Length(below[0]), Constraint::Length(below[1])];
    let [list, changes, checks] = Layout::vertical(rows).areas(area);
    (list, changes, checks)
}

fn headline(state: &State, now: Timestamp, palette: Palette) -> Vec<Line<'static>> {
    let status = &state.status;
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let link = match &state.link {
        Link::Waiting => Span::raw("asking ..."),
        Link::Up if status["ready"] == true => Span::styled("ready", palette.fg(Color::Green)),
        Link::Up => Span::styled("not ready", palette.fg(Color::Yellow)),
        Link::Away { why, since } => {
            let words = format!("away since {}: {why}", whole_seconds(now.duration_since(*since)));
            Span::styled(words, palette.fg(Color::Red))
        }
    };
    let mut first = vec![Span::styled("srvd ", bold), Span::raw(format!("{}  ", state.server)), link];
    if state.link == Link::Up {
        let uptime = whole_seconds(SignedDuration::from_secs(status["uptime_s"].as_i64().unwrap_or_default()));
        let rest = format!("  zone {}  up {uptime}  revision {}", text(&status["zone"]), text(&status["revision"]));
        first.push(Span::raw(rest));
    }
    let (instances, checks) = (&status["instances"], &status["checks"]);
    let mut counts = format!("services {}  healthy {}", text(&status["services"]), share(instances));
    for (words, value) in
        [("", other_counts(instances)), ("watchers ", text(&status["watchers"])), ("checks ", text(&checks["total"]))]
    {
        if !value.is_empty() && value != "0" {
            counts += &format!("  {words}{value}");
        }
    }
    if let Some(late) = checks["late_ms"].as_u64().filter(|&late| late > 0) {
        counts += &format!(" ({late} ms late)");
    }
    vec![Line::from(first), Line::from(counts), queries(state)]
}

fn queries(state: &State) -> Line<'static> {
    let listed = |rates: &[(String, f64)]| {
        rates.iter().take(6).map(|(name, rate)| format!("{name} {}", number(*rate))).collect::<Vec<_>>().join(" ")
    };
    let rates = &state.rates;
    let mut line = format!("queries {}/s", number(rates.total));
    for part in [listed(&rates.by_type), listed(&rates.by_rcode)] {
        if !part.is_empty() {
            line += &format!("  |  {part}");
        }
    }
    Line::from(line)
}

/// Small rates with a digit, since one query in five seconds is not none.
fn number(rate: f64) -> String {
    if rate == 0.0 || rate >= 10.0 { format!("{rate:.0}") } else { format!("{rate:.1}") }
}

fn whole_seconds(duration: SignedDuration) -> String {
    format!("{:#}", SignedDuration::from_secs(duration.as_secs().max(0)))
}

fn footline(state: &State, palette: Palette) -> Line<'static> {
    if state.mode == Mode::Filtering {
        return Line::from(format!("/{}_   Enter keeps it, Esc clears it", state.filter));
    }
    if !state.notice.is_empty() {
        return Line::styled(state.notice.clone(), palette.fg(Color::Yellow));
    }
    Line::from(match state.opened {
        Some(_) => "Esc back  d drain  r resume  up/down choose  q quit",
        None => "Enter open  / filter  up/down choose  q quit",
    })
}

fn draw_list(frame: &mut Frame<'_>, state: &State, area: Rect, palette: Palette) {
    let listed = state.listed();
    let title = match &state.opened {
        Some((service, _)) => format!(" instances of {service} "),
        None if state.filter.is_empty() => format!(" services ({}) ", listed.len()),
        None => format!(" services with \"{}\" ({} of {}) ", state.filter, listed.len(), state.services()),
    };
    // The whole of what its column may have no room for.
    let reason = state.chosen().and_then(|at| listed[at].facts.iter().find(|fact| fact.word == "reason"));
    let reason = reason.map(|fact| fact.value.as_str()).filter(|reason| !reason.is_empty());
    let block = Block::bordered().title(title);
    let block = match reason {
        Some(reason) => block.title_bottom(format!(" {reason} ")),
        None => block,
    };
    if listed.is_empty() {
        let words = match (&state.link, &state.opened) {
            (Link::Waiting, _) => "",
            (_, Some(_)) => "no instances",
            _ if state.filter.is_empty() => "nothing is registered; `srvd register --help` says how",
            _ => "no service has that in its name",
        };
        return frame.render_widget(Paragraph::new(words).block(block), area);
    }
    let columns = columns(&listed);
    let header = Row::new(columns.iter().map(|&at| listed[0].facts[at].word.to_uppercase()))
        .style(Style::new().add_modifier(Modifier::BOLD));
    let rows = listed.iter().map(|entry| Row::new(columns.iter().map(|&at| cell(&entry.facts[at], palette))));
    let widths = columns.iter().enumerate().map(|(place, &at)| match place + 1 == columns.len() {
        true => Constraint::Fill(1),
        false => Constraint::Length(width(&listed, at)),
    });
    let table = Table::new(rows, widths)
        .header(header)
        .column_spacing(2)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(block);
    let mut chosen = TableState::new().with_selected(state.chosen());
    frame.render_stateful_widget(table, area, &mut chosen);
}

/// The facts that are worth a column.
fn columns(listed: &[&Entry]) -> Vec<usize> {
    let facts = listed.first().map_or(0, |entry| entry.facts.len());
    (0..facts).filter(|&at| listed.iter().any(|entry| entry.facts[at].is_worth_showing())).collect()
}

fn width(listed: &[&Entry], at: usize) -> u16 {
    let widest = listed.iter().map(|entry| entry.facts[at].value.chars().count()).max().unwrap_or_default();
    widest.max(listed[0].facts[at].word.len()).min(COLUMN) as u16
}

fn cell(fact: &Fact, palette: Palette) -> Cell<'_> {
    let style = if fact.is_status { palette.status(&fact.value) } else { Style::new() };
    Cell::from(Span::styled(fact.value.as_str(), style))
}

fn draw_changes(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let lines: Vec<Line<'_>> =
        state.changes.iter().take(area.height.into()).map(|change| Line::from(change.as_str())).collect();
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" latest changes ")), area);
}

fn draw_checks(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let whose = match &state.opened {
        Some((service, _)) if state.slowest_of_one => format!(" slowest checks of {service} "),
        _ => " slowest checks ".to_owned(),
    };
    let rows = state.slowest.iter().take(area.height.into()).map(|check| Row::new(check.iter().map(String::as_str)));
    let widths = [Constraint::Length(24), Constraint::Length(4), Constraint::Length(8), Constraint::Fill(1)];
    frame.render_widget(Table::new(rows, widths).block(Block::bordered().title(whose)), area);
}

fn draw_question(frame: &mut Frame<'_>, act: &Act, palette: Palette) {
    let words = match act {
        Act::Drain { service, id } => format!("Take {service}/{id} out of DNS?"),
        Act::Resume { service, id } => format!("Put {service}/{id} back into DNS (ends drain and maintenance)?"),
        Act::Quit | Act::Look => return,
    };
    let area = frame.area();
    let answers = "y: yes   any other key: no";
    let width = (words.len().max(answers.len()) as u16 + 4).min(area.width);
    let height = 4.min(area.height);
    let place = Rect::new((area.width - width) / 2, (area.height - height) / 2, width, height);
    let lines = vec![Line::from(words), Line::from(answers)];
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().border_style(palette.fg(Color::Yellow))), place);
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::KeyCode;

    use super::super::state::News;
    use super::super::state::tests::look;
    use super::*;

    fn screen(state: &State, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let now = "2026-07-01T10:00:05Z".parse().unwrap();
        terminal.draw(|frame| draw(frame, state, now, Palette { colours: false })).unwrap();
        terminal.backend().to_string()
    }

    fn state() -> State {
        let mut state = State::new("http://s".to_owned());
        state.hear(look(None));
        state.hear(News::Change("10:00:00 web/a registered".to_owned()));
        state
    }

    #[test]
    fn everything_on_a_wide_screen() {
        let screen = screen(&state(), 120, 20);
        for part in [
            "srvd http://s  ready  zone svc.local.  up 1m 1s  revision 9",
            "services 2  healthy 2/3  1 lapsed  watchers 1  checks 2",
            "queries 30/s  |  A 30  |  NOERROR 30",
            " services (2) ",
            "SERVICE  HEALTH   HEALTHY  NOT HEALTHY",
            "db       down     0/1      1 lapsed",
            "web      healthy  2/2",
            "10:00:00 web/a registered",
            " slowest checks ",
            "web/b",
            "90 ms",
            "Enter open  / filter",
        ] {
            assert!(screen.contains(part), "{part}\n{screen}");
        }
    }

    #[test]
    fn any_size_is_drawn_on() {
        let mut state = state();
        for keys in [&[][..], &[KeyCode::Down, KeyCode::Enter], &[KeyCode::Char('d')]] {
            keys.iter().for_each(|key| drop(state.press(*key)));
            state.hear(look(Some("web")));
            for (width, height) in [(1, 1), (3, 2), (20, 5), (80, 24), (110, 12), (200, 60), (80, 3)] {
                screen(&state, width, height);
            }
        }
        let narrow = screen(&state, 60, 30);
        assert!(narrow.contains("latest changes") && narrow.contains("slowest checks of web"), "{narrow}");
        assert!(!screen(&state, 60, 12).contains("slowest checks"));
    }

    #[test]
    fn an_opened_service_and_a_question() {
        let mut state = state();
        [KeyCode::Down, KeyCode::Enter].iter().for_each(|key| drop(state.press(*key)));
        state.hear(look(Some("web")));
        let opened = screen(&state, 120, 20);
        assert!(opened.contains("instances of web") && opened.contains("a         healthy  10.0.0.7  80"), "{opened}");
        state.press(KeyCode::Char('d'));
        let asked = screen(&state, 120, 20);
        assert!(asked.contains("Take web/a out of DNS?") && asked.contains("y: yes"), "{asked}");
    }

    #[test]
    fn a_server_that_is_away() {
        let mut state = state();
        state.hear(News::Away { why: "connection refused".to_owned(), at: "2026-07-01T10:00:00Z".parse().unwrap() });
        let away = screen(&state, 120, 20);
        assert!(away.contains("away since 5s: connection refused") && away.contains("web      healthy"), "{away}");
    }

    #[test]
    fn a_filter_is_seen() {
        let mut state = state();
        ['/', 'w'].iter().for_each(|key| drop(state.press(KeyCode::Char(*key))));
        let filtered = screen(&state, 120, 20);
        assert!(filtered.contains("services with \"w\" (1 of 2)") && filtered.contains("/w_"), "{filtered}");
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        let coloured = |colours| {
            let mut terminal = Terminal::new(TestBackend::new(120, 20)).unwrap();
            terminal.draw(|frame| draw(frame, &state(), Timestamp::UNIX_EPOCH, Palette { colours })).unwrap();
            terminal.backend().buffer().content.iter().any(|cell| cell.fg != Color::Reset)
        };
        assert!(coloured(true) && !coloured(false));
    }
}
