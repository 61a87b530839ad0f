//! Whether the sources in a folder have changed, for commands that run again when they do.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Between two looks at the files. Short for a person, and next to nothing for a machine.
const INTERVAL: Duration = Duration::from_millis(250);
/// What a contract is made of.
const EXTENSIONS: [&str; 2] = ["rs", "toml"];
/// Files that commands write themselves.
const WRITTEN: [&str; 1] = ["gas.toml"];
/// Folders that hold what is built, not what it is built of.
const BUILT: &str = "target";

/// The sources of a folder at one moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sources(BTreeMap<PathBuf, (SystemTime, u64)>);

impl Sources {
    /// As they are now.
    pub(super) fn of(folder: &Path) -> io::Result<Sources> {
        let mut files = BTreeMap::new();
        collect(folder, &mut files)?;
        Ok(Sources(files))
    }

    /// Waits until they are not as they were; gives them as they are then.
    pub(super) async fn changed(&self, folder: &Path) -> io::Result<Sources> {
        loop {
            tokio::time::sleep(INTERVAL).await;
            // A file that an editor is replacing may be gone for a moment.
            match Sources::of(folder) {
                Ok(now) if now != *self => return Ok(now),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, (SystemTime, u64)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with('.') || name == BUILT || WRITTEN.contains(&&*name) {
            continue;
        }
        let about = entry.metadata()?;
        if about.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known)) {
            files.insert(path, (about.modified()?, about.len()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_sources_count() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("src/lib.rs", "one");
        let first = Sources::of(folder.path()).unwrap();
        for other in ["target/x.rs", ".git/x.rs", "gas.toml", "notes.txt"] {
            write(other, "x");
        }
        assert_eq!(Sources::of(folder.path()).unwrap(), first);
        write("src/lib.rs", "another");
        let second = Sources::of(folder.path()).unwrap();
        assert_ne!(second, first);
        write("tests/new.rs", "");
        assert_ne!(Sources::of(folder.path()).unwrap(), second);
    }
}
