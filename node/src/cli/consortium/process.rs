//! The process of a node whose folder is here.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::super::exit::Failure;
use crate::config;

/// The file with the process's number.
const PID_FILE: &str = "hanse.pid";
/// The file with what it says until its log is open, and when it fails.
const OUTPUT_FILE: &str = "hanse.out";
/// Between two looks at a process.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A node's folder, and what runs there.
pub(super) struct Process {
    folder: PathBuf,
}

impl Process {
    pub(super) fn of(folder: PathBuf) -> Process {
        Process { folder }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where its configuration is.
    pub(super) fn configuration(&self) -> PathBuf {
        self.folder.join(config::FILE)
    }

    /// The process's number, while it runs.
    pub(super) fn running(&self) -> Option<u32> {
        let pid: u32 = fs::read_to_string(self.folder.join(PID_FILE)).ok()?.trim().parse().ok()?;
        self.is_alive(pid).then_some(pid)
    }

    /// Starts it. It goes on when this command has ended.
    pub(super) fn start(&self, password_file: Option<&Path>) -> Result<Child, Failure> {
        let said = File::create(self.output())?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("start").arg("--config").arg(absolute(&self.configuration())?);
        if let Some(path) = password_file {
            command.arg("--password-file").arg(absolute(path)?);
        }
        // A group of its own: what a terminal sends to this command is not for the nodes.
        let child = command.stdin(Stdio::null()).stdout(said.try_clone()?).stderr(said).process_group(0).spawn()?;
        fs::write(self.folder.join(PID_FILE), format!("{}\n", child.id()))?;
        Ok(child)
    }

    /// The file with what it said until its log was open, and when it failed.
    pub(super) fn output(&self) -> PathBuf {
        self.folder.join(OUTPUT_FILE)
    }

    /// Asks it to end, and waits until it has; whether it ran.
    pub(super) async fn stop(&self, patience: Duration) -> Result<bool, Failure> {
        let Some(number) = self.running() else { return Ok(false) };
        let pid = pid(number).ok_or_else(|| Failure::error("no process has the number 0"))?;
        kill_process(pid, Signal::TERM).map_err(std::io::Error::from)?;
        let deadline = Instant::now() + patience;
        while self.is_alive(number) {
            if Instant::now() > deadline {
                let text = format!("{}: process {number} does not end", self.folder.display());
                return Err(Failure::error(text).hint(format!("look at its log; kill -9 {number} ends it")));
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        fs::remove_file(self.folder.join(PID_FILE))?;
        Ok(true)
    }

    /// Whether a process is this node's, and has not ended: numbers are given again.
    fn is_alive(&self, number: u32) -> bool {
        let exists = pid(number).is_some_and(|pid| test_kill_process(pid).is_ok());
        let arguments = match fs::read(format!("/proc/{number}/cmdline")) {
            Ok(arguments) => arguments,
            // A system that does not tell.
            Err(_) if !Path::new("/proc/self/cmdline").exists() => return exists,
            Err(_) => return false,
        };
        let own = absolute(&self.configuration()).unwrap_or_default();
        exists && arguments.split(|byte| *byte == 0).any(|word| word == own.as_os_str().as_encoded_bytes())
    }
}

fn pid(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}

fn absolute(path: &Path) -> Result<PathBuf, std::io::Error> {
    std::path::absolute(path)
}
