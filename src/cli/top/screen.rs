//! The terminal: keys in, pictures out, and everything as it was when the view ends, however it does.

use std::io::IsTerminal;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::poll::Order;
use super::state::{Act, News, State};
use super::view::{self, Palette};
use super::{changes, poll};
use crate::cli::connection::ServerUrl;
use crate::cli::exit::{Exit, Failure};
use crate::cli::table::Screen;

/// The longest time between two pictures.
const PICTURE: Duration = Duration::from_millis(100);
/// News that wait to be taken in; whoever brings more waits.
const NEWS: usize = 256;

/// Shows the view until it is quit.
///
/// # Errors
/// When the terminal cannot be used.
pub(super) fn run(server: &ServerUrl, every: Duration) -> Result<Exit, Failure> {
    let (news, heard) = sync_channel(NEWS);
    let (order, orders) = channel();
    // The threads end with the process: none of them holds anything that must be given back.
    let (url, brought) = (server.clone(), news.clone());
    thread::spawn(move || poll::run(&url, every, &orders, &brought));
    let url = server.clone();
    thread::spawn(move || changes::run(&url, &news));
    let mut state = State::new(server.to_string());
    let palette = Palette { colours: Screen::of_standard_output().has_colours() };
    // From here on a panic, too, gives the terminal back as it was.
    let mut terminal = ratatui::try_init().map_err(Failure::Output)?;
    let ended = show(&mut terminal, &mut state, palette, &heard, &order);
    ratatui::restore();
    ended.map(|()| Exit::Done).map_err(Failure::Output)
}

fn show(
    terminal: &mut DefaultTerminal,
    state: &mut State,
    palette: Palette,
    heard: &Receiver<News>,
    order: &Sender<Order>,
) -> std::io::Result<()> {
    loop {
        while let Ok(news) = heard.try_recv() {
            state.hear(news);
        }
        terminal.draw(|frame| view::draw(frame, state, Timestamp::now(), palette))?;
        if !event::poll(PICTURE)? {
            continue;
        }
        let Event::Key(key) = event::read()? else { continue };
        let sent = match act(state, key) {
            None => Ok(()),
            Some(Act::Quit) => return Ok(()),
            Some(Act::Look) => order.send(Order::Look(state.wish())),
            Some(act) => order.send(Order::Do(act)),
        };
        if sent.is_err() || !std::io::stdout().is_terminal() {
            return Ok(());
        }
    }
}

fn act(state: &mut State, key: KeyEvent) -> Option<Act> {
    // In raw mode it is a key like any other.
    if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
        return Some(Act::Quit);
    }
    (key.kind != KeyEventKind::Release).then(|| state.press(key.code)).flatten()
}
