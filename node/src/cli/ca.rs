//! `hanse ca`: an organisation's authority, and the certificates of its nodes.
//!
//! An authority is a folder: its key, `ca.pem`, which never leaves it, and its certificate, `ca.crt`, which every node of the
//! consortium is given.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hanse_types::crypto::{PublicKey, SecretKey};
use serde::Serialize;

use super::Common;
use super::exit::Failure;
use super::init::make_folder;
use super::output::{Output, fields};
use crate::keys::file::{Algorithm, KeyFolder, PasswordSource, open_file};
use crate::p2p::identity;
use crate::pki::file::{self, CertificateFileError};
use crate::pki::issue::{self, IssueError, Span};
use crate::pki::{self, Authority, Certificate, CertificateError, DAY, date, in_words};

/// The name of an authority's key in its folder.
const KEY: &str = "ca";
/// Its certificate there.
const CERTIFICATE: &str = "ca.crt";
/// Days for which an authority's certificate holds, and for which a node's does.
const AUTHORITY_DAYS: u64 = 3_650;
const NODE_DAYS: u64 = 365;
/// Most days that can be asked for.
const MAX_DAYS: u64 = 36_500;
/// A certificate holds from a little earlier on, so that a clock that is late does not refuse it.
const CLOCKS: u64 = 300;

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Make the authority of an organisation: a folder with its key and its certificate
    New {
        /// The folder, made if it is not there
        folder: PathBuf,
        /// The organisation's name
        #[arg(long)]
        organisation: String,
        /// For how many days its certificate holds
        #[arg(long, default_value_t = AUTHORITY_DAYS, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=MAX_DAYS))]
        days: u64,
        /// Write the key without a password: whoever reads the file certifies nodes
        #[arg(long)]
        plain_key: bool,
    },
    /// Make the certificate of a node of the organisation
    Issue {
        #[command(flatten)]
        ca: CaFolder,
        /// The node's name
        #[arg(long)]
        name: String,
        /// The node's key, as `hanse key show` prints it, or the file validator.pub in the node's folder
        #[arg(long, value_name = "KEY")]
        key: String,
        #[command(flatten)]
        time: Days,
        /// The file to write
        #[arg(long, short, value_name = "FILE", default_value = "node.crt")]
        out: PathBuf,
    },
    /// Make a new certificate in the place of an old one: the same node, the same key, more time. A node that runs takes it
    /// up without a restart
    Renew {
        #[command(flatten)]
        ca: CaFolder,
        /// The file with the certificate of a node, or the authority's own
        file: PathBuf,
        #[command(flatten)]
        time: Days,
    },
    /// Show what a certificate says
    Show {
        /// The file
        file: PathBuf,
    },
}

/// Whose authority.
#[derive(Debug, Args)]
pub(crate) struct CaFolder {
    /// The folder of the organisation's authority
    #[arg(long, value_name = "FOLDER", default_value = "ca")]
    ca: PathBuf,
}

/// For how long.
#[derive(Debug, Args)]
pub(crate) struct Days {
    /// For how many days it holds; not longer than the authority's own. 365 for a node and 3650 for an authority if not given
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=MAX_DAYS))]
    days: Option<u64>,
    /// For how many seconds it holds, instead: to try what happens when one ends
    #[arg(long, value_name = "SECONDS", conflicts_with = "days", hide = true)]
    seconds: Option<u64>,
}

impl Days {
    fn span(&self, usual: u64) -> Span {
        span(self.seconds.unwrap_or_else(|| self.days.unwrap_or(usual) * DAY))
    }
}

/// From now on, for so many seconds.
fn span(seconds: u64) -> Span {
    let now = pki::now();
    Span { from: now.saturating_sub(CLOCKS), until: now.saturating_add(seconds) }
}

/// A certificate as it is shown.
#[derive(Serialize)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    kind: &'static str,
    name: String,
    organisation: String,
    issuer: String,
    key: PublicKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_id: Option<String>,
    serial: String,
    from: String,
    until: String,
    /// What is wrong with it at this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Shown {
    fn new(certificate: &Certificate, file: Option<&Path>) -> Shown {
        let is_authority = certificate.is_authority();
        let peer = identity::peer_id(&certificate.key()).filter(|_| !is_authority);
        Shown {
            file: file.map(|file| file.display().to_string()),
            kind: if is_authority { "authority" } else { "node" },
            name: certificate.name(),
            organisation: certificate.organisation(),
            issuer: certificate.issuer(),
            key: certificate.key(),
            node_id: peer.map(|peer| peer.to_string()),
            serial: certificate.serial(),
            from: date(certificate.from()),
            until: date(certificate.until()),
            error: certificate.check_time(pki::now()).err().map(|error| error.to_string()),
        }
    }
}

fn text(certificate: &Certificate, shown: &Shown) -> String {
    let left = certificate.until().saturating_sub(pki::now());
    let until =
        if shown.error.is_none() { format!("{} ({} left)", shown.until, in_words(left)) } else { shown.until.clone() };
    let lines = [
        ("kind", shown.kind.to_owned()),
        ("name", shown.name.clone()),
        ("organisation", shown.organisation.clone()),
        ("issuer", shown.issuer.clone()),
        ("key", shown.key.to_string()),
    ];
    let file = shown.file.iter().map(|file| ("file", file.clone()));
    let node = shown.node_id.iter().map(|id| ("node id", id.clone()));
    let rest = [("number", shown.serial.clone()), ("from", shown.from.clone()), ("until", until)];
    let error = shown.error.iter().map(|error| ("error", error.clone()));
    fields(file.chain(lines).chain(node).chain(rest).chain(error))
}

impl From<CertificateFileError> for Failure {
    fn from(error: CertificateFileError) -> Self {
        Failure::error(error.to_string())
    }
}

impl From<IssueError> for Failure {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Name(_) | IssueError::Key(_) => Failure::usage(error.to_string()),
            _ => Failure::error(error.to_string()),
        }
    }
}

/// `hanse ca`.
pub(crate) fn run(command: CaCommand, common: &Common, output: Output) -> Result<(), Failure> {
    let source = PasswordSource { file: common.password_file.as_deref() };
    let (certificate, path) = match command {
        CaCommand::New { folder, organisation, days, plain_key } => {
            let password = (!plain_key).then_some(source);
            let (authority, _) = new_authority(&folder, &organisation, days, password)?;
            (authority.certificate().clone(), folder.join(CERTIFICATE))
        }
        CaCommand::Issue { ca, name, key, time, out } => {
            let (authority, signer) = ca.open(source)?;
            let made = issue::node(&authority, &signer, &name, node_key(&key)?, time.span(NODE_DAYS))?;
            (certified(made, &authority, &out)?, out)
        }
        CaCommand::Renew { ca, file, time } => (renew(&ca, &file, &time, source)?, file),
        CaCommand::Show { file } => (file::read(&file)?, file),
    };
    output.result(&Shown::new(&certificate, Some(&path)), |shown| text(&certificate, shown))
}

/// An authority with its key.
pub(super) type Opened = (Authority, SecretKey);

impl CaFolder {
    fn open(&self, source: PasswordSource<'_>) -> Result<Opened, Failure> {
        open(&self.ca, source).map_err(|failure| failure.hint("--ca names the folder that `hanse ca new` made"))
    }
}

/// The authority in this folder.
pub(super) fn open(folder: &Path, source: PasswordSource<'_>) -> Result<Opened, Failure> {
    let authority = file::read_authority(&folder.join(CERTIFICATE))?;
    Ok((authority, open_key(folder, source)?))
}

/// The authority's key, with a password if its file has one.
fn open_key(folder: &Path, source: PasswordSource<'_>) -> Result<SecretKey, Failure> {
    Ok(open_file(&folder.join(format!("{KEY}.pem")), source)?)
}

/// Makes an authority in a folder; without a password source, its key lies there in plain.
pub(super) fn new_authority(
    folder: &Path,
    organisation: &str,
    days: u64,
    password: Option<PasswordSource<'_>>,
) -> Result<(Authority, SecretKey), Failure> {
    check_organisation(organisation)?;
    make_folder(folder)?;
    let keys = KeyFolder::at(folder.to_owned());
    match password {
        None => keys.create_plain(KEY, Algorithm::Ed25519)?,
        Some(source) => keys.create(KEY, Algorithm::Ed25519, source)?,
    };
    let key = open_key(folder, password.unwrap_or_default())?;
    let authority = issue::authority(organisation, &key, span(days * DAY))?;
    file::write(&folder.join(CERTIFICATE), authority.certificate())?;
    Ok((authority, key))
}

/// Whether an authority can be called so, before anything is written.
pub(super) fn check_organisation(organisation: &str) -> Result<(), Failure> {
    Ok(issue::check_names(organisation, None)?)
}

/// Makes the certificate of a node and writes it.
pub(super) fn certify(
    (authority, signer): &(Authority, SecretKey),
    name: &str,
    key: PublicKey,
    path: &Path,
) -> Result<(), Failure> {
    let made = issue::node(authority, signer, name, key, span(NODE_DAYS * DAY))?;
    Ok(file::write(path, &made)?)
}

/// Writes a certificate, unless it would be of no use.
fn certified(made: Certificate, authority: &Authority, path: &Path) -> Result<Certificate, Failure> {
    let now = pki::now();
    let own = authority.certificate().check_time(now).and_then(|()| made.check_time(now));
    own.map_err(|error: CertificateError| {
        Failure::error(error.to_string()).hint("renew the authority's certificate first")
    })?;
    file::write(path, &made)?;
    Ok(made)
}

fn renew(ca: &CaFolder, path: &Path, time: &Days, source: PasswordSource<'_>) -> Result<Certificate, Failure> {
    let (authority, signer) = ca.open(source)?;
    let old = file::read(path)?;
    if old.is_authority() {
        if old.key() != authority.certificate().key() {
            let text = format!("{} is the certificate of another authority than {}", path.display(), ca.ca.display());
            return Err(Failure::usage(text));
        }
        let made = issue::authority(&old.organisation(), &signer, time.span(AUTHORITY_DAYS))?;
        file::write(path, made.certificate())?;
        return Ok(made.certificate().clone());
    }
    authority.certifies(&old).map_err(|error| {
        Failure::usage(error.to_string()).hint("--ca names the folder of the authority that made it")
    })?;
    let made = issue::node(&authority, &signer, &old.name(), old.key(), time.span(NODE_DAYS))?;
    certified(made, &authority, path)
}

/// A key as text, or in a file.
fn node_key(given: &str) -> Result<PublicKey, Failure> {
    if let Ok(key) = given.parse() {
        return Ok(key);
    }
    let wrong = || Failure::usage(format!("--key {given}: neither a key such as ed25519:… nor a file with one"));
    std::fs::read_to_string(given).ok().and_then(|text| text.trim().parse().ok()).ok_or_else(wrong)
}
