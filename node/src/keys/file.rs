//! Keys in files: `NAME.pem` encrypted with a password, mode 0600, and `NAME.pub` with the public key.

use std::fs;
use std::io::{IsTerminal, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hanse_types::crypto::key_file::{self, KeyFileError};
use hanse_types::crypto::{CryptoError, PublicKey, PublicKeyError, SecretKey, Signer};
use thiserror::Error;
use zeroize::Zeroizing;

/// Environment variable with the password.
const PASSWORD_VARIABLE: &str = "HANSE_KEY_PASSWORD";
/// Environment variable with the folder, instead of the user's configuration.
const FOLDER_VARIABLE: &str = "HANSE_KEYS";
/// Longest name of a key.
const NAME_BYTES: usize = 64;

/// Why there is no key.
#[derive(Debug, Error)]
pub(crate) enum KeyError {
    /// The name can't be a file's name.
    #[error("{name:?} can't be a key's name: use 1 to 64 of the letters a-z, A-Z, 0-9, - and _")]
    Name {
        /// The name.
        name: String,
    },
    /// No such file.
    #[error(
        "there is no key {name:?} in {folder}; `hanse key new {name}` makes one, `hanse key list` shows those there are"
    )]
    Missing {
        /// The name.
        name: String,
        /// Where it was looked for.
        folder: String,
    },
    /// There is one already.
    #[error("there is a key {name:?} in {folder} already; it is not overwritten")]
    Exists {
        /// The name.
        name: String,
        /// Where.
        folder: String,
    },
    /// Others may read it.
    #[error("{path} can be read by others (mode {mode:o}); run: chmod 600 {path}")]
    Mode {
        /// The file.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// Neither a home nor a folder is named.
    #[error("there is no place for keys: set HOME, XDG_CONFIG_HOME or HANSE_KEYS")]
    NoFolder,
    /// No password, and nobody to ask.
    #[error("key {name:?} needs a password: set HANSE_KEY_PASSWORD, or give --password-file FILE")]
    NoPassword {
        /// The name.
        name: String,
    },
    /// The two entries differ.
    #[error("the two passwords differ; nothing was written")]
    PasswordsDiffer,
    /// The file's content.
    #[error("{path}: {error}")]
    Content {
        /// The file.
        path: String,
        /// What is wrong.
        error: KeyFileError,
    },
    /// The public key's file.
    #[error("{path}: {error}")]
    Public {
        /// The file.
        path: String,
        /// What is wrong.
        error: PublicKeyError,
    },
    /// The random bytes are no key.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// No random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Random(getrandom::Error),
    /// A file can't be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Algorithms that a new key can have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Algorithm {
    /// ed25519
    #[default]
    Ed25519,
    /// secp256k1
    Secp256k1,
    /// SM2, for groups with crypto guomi
    Sm2,
}

/// The folder with a user's keys.
#[derive(Clone, Debug)]
pub(crate) struct KeyFolder(PathBuf);

/// Where a password comes from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PasswordSource<'a> {
    /// This file, before anything else.
    pub(crate) file: Option<&'a Path>,
}

impl KeyFolder {
    /// This folder.
    pub(crate) fn at(folder: impl Into<PathBuf>) -> KeyFolder {
        KeyFolder(folder.into())
    }

    /// The folder that the environment names.
    pub(crate) fn of_user() -> Result<KeyFolder, KeyError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = variable(FOLDER_VARIABLE)
            .or_else(|| variable("XDG_CONFIG_HOME").map(|config| config.join("hanse/keys")))
            .or_else(|| variable("HOME").map(|home| home.join(".config/hanse/keys")));
        folder.map(KeyFolder).ok_or(KeyError::NoFolder)
    }

    /// Where it is.
    pub(crate) fn path_of_folder(&self) -> &Path {
        &self.0
    }

    /// Makes a key and writes it, encrypted; gives its public key.
    pub(crate) fn create(
        &self,
        name: &str,
        algorithm: Algorithm,
        source: PasswordSource<'_>,
    ) -> Result<PublicKey, KeyError> {
        self.check_free(name)?;
        let password = source.for_new(name)?;
        self.write(name, &random_key(algorithm)?, &password)
    }

    /// Makes a key and writes it as it is: only the file's mode protects it. Gives its public key.
    pub(crate) fn create_plain(&self, name: &str, algorithm: Algorithm) -> Result<PublicKey, KeyError> {
        self.check_free(name)?;
        let key = random_key(algorithm)?;
        self.write_pem(name, &key, &key_file::to_plain_pem(&key))
    }

    /// Takes over a key from a PEM file of PKCS#8, encrypted or not, and writes it encrypted. An encrypted one keeps its
    /// password.
    pub(crate) fn import(&self, name: &str, file: &Path, source: PasswordSource<'_>) -> Result<PublicKey, KeyError> {
        self.check_free(name)?;
        let content = |error| KeyError::Content { path: shown(file), error };
        let text = Zeroizing::new(fs::read_to_string(file).map_err(|error| file_error(file, error))?);
        match key_file::from_plain_pem(&text) {
            Ok(key) => self.write(name, &key, &source.for_new(name)?),
            Err(KeyFileError::OtherContent { .. }) => {
                let password = source.existing(name)?;
                let key = key_file::from_pem(&text, password.as_bytes()).map_err(content)?;
                self.write(name, &key, &password)
            }
            Err(error) => Err(content(error)),
        }
    }

    /// The key as it lies in its file, encrypted.
    pub(crate) fn export(&self, name: &str) -> Result<String, KeyError> {
        let path = self.path(name, "pem")?;
        fs::read_to_string(&path).map_err(|error| self.missing(name, &path, error))
    }

    /// An error if there is a key of this name already.
    fn check_free(&self, name: &str) -> Result<(), KeyError> {
        let taken = self.path(name, "pem")?.exists() || self.path(name, "pub")?.exists();
        if taken { Err(KeyError::Exists { name: name.into(), folder: self.shown() }) } else { Ok(()) }
    }

    fn write(&self, name: &str, key: &SecretKey, password: &str) -> Result<PublicKey, KeyError> {
        let path = self.path(name, "pem")?;
        let pem = key_file::to_pem(key, password.as_bytes(), random()?)
            .map_err(|error| KeyError::Content { path: shown(&path), error })?;
        self.write_pem(name, key, &pem)
    }

    fn write_pem(&self, name: &str, key: &SecretKey, pem: &str) -> Result<PublicKey, KeyError> {
        let secret_path = self.path(name, "pem")?;
        let public_path = self.path(name, "pub")?;
        let public = key.public_key();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(|e| file_error(&self.0, e))?;
        write_new(&secret_path, pem.as_bytes(), 0o600)?;
        write_new(&public_path, format!("{public}\n").as_bytes(), 0o644)?;
        Ok(public)
    }

    /// The key of this name, opened with its password.
    pub(crate) fn open(&self, name: &str, source: PasswordSource<'_>) -> Result<SecretKey, KeyError> {
        let path = self.path(name, "pem")?;
        let text = read_private(&path, |error| self.missing(name, &path, error))?;
        let password = source.existing(name)?;
        key_file::from_pem(&text, password.as_bytes()).map_err(|error| KeyError::Content { path: shown(&path), error })
    }

    /// The public key of this name; needs no password.
    pub(crate) fn public_key(&self, name: &str) -> Result<PublicKey, KeyError> {
        let path = self.path(name, "pub")?;
        let text = fs::read_to_string(&path).map_err(|error| self.missing(name, &path, error))?;
        text.trim().parse().map_err(|error| KeyError::Public { path: shown(&path), error })
    }

    /// Names and public keys, by name.
    pub(crate) fn list(&self) -> Result<Vec<(String, PublicKey)>, KeyError> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| file_error(&self.0, error))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| file_error(&self.0, error))?.path();
            if path.extension().is_some_and(|extension| extension == "pub") {
                names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
            }
        }
        names.sort();
        names.into_iter().map(|name| Ok((name.clone(), self.public_key(&name)?))).collect()
    }

    fn path(&self, name: &str, extension: &str) -> Result<PathBuf, KeyError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if name.is_empty() || name.len() > NAME_BYTES || !name.bytes().all(allowed) {
            return Err(KeyError::Name { name: name.into() });
        }
        Ok(self.0.join(format!("{name}.{extension}")))
    }

    fn missing(&self, name: &str, path: &Path, error: std::io::Error) -> KeyError {
        match error.kind() {
            std::io::ErrorKind::NotFound => KeyError::Missing { name: name.into(), folder: self.shown() },
            _ => file_error(path, error),
        }
    }

    fn shown(&self) -> String {
        shown(&self.0)
    }
}

impl PasswordSource<'_> {
    fn given(&self) -> Result<Option<Zeroizing<String>>, KeyError> {
        if let Some(path) = self.file {
            let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| file_error(path, error))?);
            return Ok(Some(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())));
        }
        Ok(std::env::var(PASSWORD_VARIABLE).ok().map(Zeroizing::new))
    }

    fn existing(&self, name: &str) -> Result<Zeroizing<String>, KeyError> {
        match self.given()? {
            Some(password) => Ok(password),
            None => ask(name, &format!("Password of key {name}: ")),
        }
    }

    fn for_new(&self, name: &str) -> Result<Zeroizing<String>, KeyError> {
        if let Some(password) = self.given()? {
            return Ok(password);
        }
        let password = ask(name, &format!("New password for key {name}: "))?;
        let again = ask(name, "The same again: ")?;
        if *password != *again {
            return Err(KeyError::PasswordsDiffer);
        }
        Ok(password)
    }
}

/// The key in a file; one that is not encrypted needs no password. Its mode is checked all the same.
pub(crate) fn open_file(path: &Path, source: PasswordSource<'_>) -> Result<SecretKey, KeyError> {
    let text = read_private(path, |error| file_error(path, error))?;
    if let Ok(key) = key_file::from_plain_pem(&text) {
        return Ok(key);
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let password = source.existing(&name)?;
    key_file::from_pem(&text, password.as_bytes()).map_err(|error| KeyError::Content { path: shown(path), error })
}

/// The text of a file that nobody else may read.
fn read_private(path: &Path, absent: impl FnOnce(std::io::Error) -> KeyError) -> Result<Zeroizing<String>, KeyError> {
    let mode = fs::metadata(path).map_err(absent)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Mode { path: shown(path), mode });
    }
    Ok(Zeroizing::new(fs::read_to_string(path).map_err(|error| file_error(path, error))?))
}

/// Asks a person, if there is one.
fn ask(name: &str, prompt: &str) -> Result<Zeroizing<String>, KeyError> {
    let nobody = || KeyError::NoPassword { name: name.into() };
    if !std::io::stdin().is_terminal() {
        return Err(nobody());
    }
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|_| nobody())
}

fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(KeyError::Random)?;
    Ok(bytes)
}

fn random_key(algorithm: Algorithm) -> Result<SecretKey, KeyError> {
    let seed = Zeroizing::new(random::<32>()?);
    match algorithm {
        Algorithm::Ed25519 => Ok(SecretKey::ed25519(*seed)),
        Algorithm::Secp256k1 => Ok(SecretKey::secp256k1(*seed)?),
        Algorithm::Sm2 => Ok(SecretKey::sm2(*seed)?),
    }
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyError> {
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|error| file_error(path, error))
}

fn file_error(path: &Path, error: std::io::Error) -> KeyError {
    KeyError::File { path: shown(path), error }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn folder_and_password() -> (tempfile::TempDir, KeyFolder, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let password = dir.path().join("password");
        fs::write(&password, "correct horse\n").unwrap();
        let folder = KeyFolder(dir.path().join("keys"));
        (dir, folder, password)
    }

    #[test]
    fn a_key_is_written_once_and_opened_with_its_password() {
        let (dir, folder, password) = folder_and_password();
        let source = PasswordSource { file: Some(&password) };
        let public = folder.create("treasury", Algorithm::Secp256k1, source).unwrap();
        assert_eq!(folder.open("treasury", source).unwrap().public_key(), public);
        assert_eq!(folder.list().unwrap(), [("treasury".to_owned(), public)]);
        assert!(matches!(folder.create("treasury", Algorithm::Ed25519, source), Err(KeyError::Exists { .. })));

        let wrong = dir.path().join("wrong");
        fs::write(&wrong, "battery staple").unwrap();
        let refused = folder.open("treasury", PasswordSource { file: Some(&wrong) });
        assert!(matches!(refused, Err(KeyError::Content { error: KeyFileError::WrongPassword, .. })));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let (_dir, folder, password) = folder_and_password();
        let source = PasswordSource { file: Some(&password) };
        folder.create("open", Algorithm::Ed25519, source).unwrap();
        let path = folder.path("open", "pem").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(folder.open("open", source), Err(KeyError::Mode { mode: 0o644, .. })));
    }

    #[test]
    fn a_key_of_another_program_is_taken_over() {
        let (dir, folder, password) = folder_and_password();
        let source = PasswordSource { file: Some(&password) };
        let key = SecretKey::ed25519([7; 32]);
        let plain = dir.path().join("plain.pem");
        fs::write(&plain, key_file::to_plain_pem(&key).as_bytes()).unwrap();
        assert_eq!(folder.import("taken", &plain, source).unwrap(), key.public_key());
        assert_eq!(folder.open("taken", source).unwrap().public_key(), key.public_key());
        assert!(matches!(folder.import("taken", &plain, source), Err(KeyError::Exists { .. })));

        let sealed = dir.path().join("sealed.pem");
        fs::write(&sealed, folder.export("taken").unwrap()).unwrap();
        assert_eq!(folder.import("again", &sealed, source).unwrap(), key.public_key());
        assert!(folder.export("again").unwrap().contains("ENCRYPTED"));

        fs::write(&plain, "no key").unwrap();
        assert!(matches!(folder.import("none", &plain, source), Err(KeyError::Content { .. })));
        assert!(!folder.path("none", "pem").unwrap().exists());
    }

    #[test]
    fn a_key_without_a_password_opens_by_its_file_and_keeps_its_mode() {
        let (_dir, folder, _) = folder_and_password();
        let public = folder.create_plain("plain", Algorithm::Ed25519).unwrap();
        let path = folder.path("plain", "pem").unwrap();
        let nobody = PasswordSource { file: None };
        assert_eq!(open_file(&path, nobody).unwrap().public_key(), public);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        assert!(matches!(open_file(&path, nobody), Err(KeyError::Mode { mode: 0o604, .. })));
    }

    #[test]
    fn a_name_is_no_path() {
        let (_dir, folder, _) = folder_and_password();
        for name in ["", "../x", "a/b", "a.b", &"n".repeat(65)] {
            assert!(matches!(folder.public_key(name), Err(KeyError::Name { .. })), "{name}");
        }
        assert!(matches!(folder.public_key("nobody"), Err(KeyError::Missing { .. })));
    }
}
