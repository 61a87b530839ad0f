//! The process that runs the machine, one for the test program: started by whoever asks first, ended by the end of its
//! input when the program ends.

use std::io::{BufReader, BufWriter};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use hanse_sdk_mirror::{Answer, HOST_VARIABLE, Request, VERSION, read, write};

struct Connection {
    to: BufWriter<ChildStdin>,
    from: BufReader<ChildStdout>,
}

/// A number for a world of this program.
pub(super) fn new_world() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Asks the host; why not, if it can't be asked.
pub(super) fn ask(request: &Request) -> Result<Answer, String> {
    static CONNECTION: OnceLock<Result<Mutex<Connection>, String>> = OnceLock::new();
    let connection = CONNECTION.get_or_init(|| connect().map(Mutex::new)).as_ref().map_err(String::clone)?;
    // Whoever panicked while holding it did so after its answer, or the next frame does not read.
    connection.lock().unwrap_or_else(PoisonError::into_inner).ask(request)
}

fn connect() -> Result<Connection, String> {
    let host = std::env::var_os(HOST_VARIABLE).map(PathBuf::from).unwrap_or_default();
    let failed = |what: String| {
        format!(
            "{HOST_VARIABLE} names {}, which {what}; run the tests by `hanse contract test`, or unset the variable to \
             run them natively only",
            host.display()
        )
    };
    let command = Command::new(&host).args(["contract", "host"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = command.map_err(|error| failed(format!("can't be started: {error}")))?;
    let mut connection = streams(&mut child).ok_or_else(|| failed("has no streams".to_owned()))?;
    match connection.ask(&Request::Hello(VERSION)) {
        Ok(Answer::Done) => Ok(connection),
        Ok(Answer::Refused(reason)) => Err(failed(format!("refuses: {reason}"))),
        Ok(Answer::Report(_)) => Err(failed("answers something else than was asked".to_owned())),
        Err(reason) => Err(failed(format!("does not speak to tests: {reason}"))),
    }
}

fn streams(child: &mut Child) -> Option<Connection> {
    let (to, from) = (child.stdin.take()?, child.stdout.take()?);
    Some(Connection { to: BufWriter::new(to), from: BufReader::new(from) })
}

impl Connection {
    fn ask(&mut self, request: &Request) -> Result<Answer, String> {
        let gone = |error: std::io::Error| format!("hanse contract host is gone or confused: {error}");
        write(&mut self.to, request).map_err(gone)?;
        let answer = read(&mut self.from).map_err(gone)?;
        answer.ok_or_else(|| "hanse contract host has ended; what it said is above".to_owned())
    }
}
