//! A pseudo-terminal with a program on it, and somebody who types and reads.

use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

/// What a test may take for something that comes for certain.
const PATIENCE: Duration = Duration::from_secs(60);
/// By it, a program asks where the cursor is,
const WHERE: &str = "\x1b[6n";
/// and a terminal answers.
const HERE: &[u8] = b"\x1b[1;1R";

pub(crate) struct Terminal {
    process: Child,
    keyboard: std::fs::File,
    screen: Arc<(Mutex<Screen>, Condvar)>,
    reader: JoinHandle<()>,
    /// How much of what was written has been waited for.
    seen: usize,
}

#[derive(Default)]
struct Screen {
    written: String,
    ended: bool,
}

impl Terminal {
    /// Starts a program on a terminal of 120 by 40 characters.
    pub(crate) fn start(command: &mut Command) -> Terminal {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::pty::grantpt(&master).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let size = Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&master, size).unwrap();
        let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
        let slave = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        command.env("TERM", "xterm").stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
        let process = command.spawn().unwrap();
        // The command holds the program's end of the terminal: as long as it is open, nothing here sees the end.
        command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let keyboard = std::fs::File::from(master);
        let screen = Arc::new((Mutex::new(Screen::default()), Condvar::new()));
        let reader = {
            let (tty, screen) = (keyboard.try_clone().unwrap(), screen.clone());
            thread::spawn(move || read(tty, &screen))
        };
        Terminal { process, keyboard, screen, reader, seen: 0 }
    }

    /// Types.
    pub(crate) fn send(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the console reads keys: it asks where the cursor is before. What is pressed sooner, the kernel may take for
    /// itself.
    pub(crate) fn prompted(&mut self) {
        self.expect(WHERE);
    }

    /// What a terminal does at Ctrl-C while the program does not read its keys. This one is not the program's own, so the
    /// kernel does not do it.
    pub(crate) fn interrupt(&self) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    }

    /// Waits for a text after the one that was waited for last.
    pub(crate) fn expect(&mut self, text: &str) {
        let (screen, changed) = &*self.screen;
        let from = self.seen;
        let there = |screen: &Screen| screen.written[from..].find(text).map(|at| from + at + text.len());
        let screen = screen.lock().unwrap();
        let waiting = |screen: &mut Screen| there(screen).is_none() && !screen.ended;
        let (screen, _) = changed.wait_timeout_while(screen, PATIENCE, waiting).unwrap();
        self.seen = there(&screen).unwrap_or_else(|| panic!("{text:?} is not in {:?}", &screen.written[from..]));
    }

    /// Waits for the program's end; its exit code, and all that it wrote.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let (screen, changed) = &*self.screen;
        let ended =
            changed.wait_timeout_while(screen.lock().unwrap(), PATIENCE, |screen| !screen.ended).unwrap().0.ended;
        if !ended {
            // So that the test fails instead of waiting.
            let _ = self.process.kill();
        }
        let code = self.process.wait().unwrap().code();
        self.reader.join().unwrap();
        let written = self.screen.0.lock().unwrap().written.clone();
        (code, written)
    }
}

fn read(mut tty: std::fs::File, screen: &(Mutex<Screen>, Condvar)) {
    let (mut bytes, mut answered) = (Vec::new(), 0);
    let mut buffer = [0; 4096];
    // Where the program has closed its end, Linux answers with an error.
    while let Ok(count @ 1..) = tty.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let asked = text.matches(WHERE).count();
        for _ in answered..asked {
            tty.write_all(HERE).unwrap();
        }
        answered = asked;
        screen.0.lock().unwrap().written = text;
        screen.1.notify_all();
    }
    screen.0.lock().unwrap().ended = true;
    screen.1.notify_all();
}
