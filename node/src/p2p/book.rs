//! Where nodes were that no configuration names: kept in a small file of the data folder, so that a node which starts while its
//! seeds are away finds the members that it knew.
//!
//! In it stands what admitted nodes said of themselves (identify), for those that this node wants to be connected to. It is
//! believed as far as dialling, as everything that is heard; whoever is there now has to prove the key that was meant. Who is
//! denied is struck out. It is no more than a help: a file that can't be read is not used, and one that can't be written is
//! told of and tried again with the next change.
//!
//! It knows nothing of connections; the [driver](super::driver) tells it what was learned. Start reading at [`AddressBook`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use libp2p::{Multiaddr, PeerId};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::address::PeerAddress;
use super::lists::replace;

/// Nodes of which addresses are kept; more push out those that were learned first.
const NODES: usize = 500;
/// Longest file that is read: far longer than any that is written.
const FILE_BYTES: u64 = 16 << 20;

/// What it says, in the order in which it was learned: a node's addresses stand together.
type Lines = Vec<PeerAddress>;

/// See the module.
#[derive(Debug)]
pub(super) struct AddressBook {
    lines: Lines,
    written: watch::Sender<Lines>,
    /// Writes what changes; none where nothing is kept.
    writer: Option<JoinHandle<()>>,
}

impl AddressBook {
    /// What a file has; an empty one without a file, with one that is not there yet, or that is no such file. What is learned
    /// is written there, if there is where to.
    pub(super) fn open(path: Option<PathBuf>) -> AddressBook {
        let mut lines = path.as_deref().map(read).unwrap_or_default();
        shorten(&mut lines);
        let written = watch::Sender::new(Vec::new());
        let writer = path.map(|path| tokio::spawn(write_changes(path, written.subscribe())));
        AddressBook { lines, written, writer }
    }

    /// Where a node was, if that is known.
    pub(super) fn addresses(&self, peer: &PeerId) -> impl Iterator<Item = &Multiaddr> {
        self.lines.iter().filter(move |line| line.peer == *peer).map(|line| &line.address)
    }

    /// A node is there, and nowhere else.
    pub(super) fn learn<'a>(&mut self, peer: PeerId, addresses: impl Iterator<Item = &'a Multiaddr>) {
        let told: Lines = addresses.map(|address| PeerAddress { peer, address: address.clone() }).collect();
        if told.iter().map(|line| &line.address).eq(self.addresses(&peer)) {
            return;
        }
        self.lines.retain(|line| line.peer != peer);
        self.lines.extend(told);
        shorten(&mut self.lines);
        self.written.send_replace(self.lines.clone());
    }

    /// Nothing is known of a node any more.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.learn(peer, std::iter::empty());
    }

    /// Returns when everything is written.
    pub(super) async fn close(self) {
        drop(self.written);
        if let Some(writer) = self.writer {
            // One that has failed writes nothing any more.
            let _ = writer.await;
        }
    }
}

/// Gives up those that were learned first, while there are too many.
fn shorten(lines: &mut Lines) {
    let nodes: Vec<usize> = lines.chunk_by(|one, next| one.peer == next.peer).map(<[_]>::len).collect();
    let surplus = nodes.len().saturating_sub(NODES);
    lines.drain(..nodes[..surplus].iter().sum::<usize>());
}

/// The file's lines; none where it is of no use.
fn read(path: &Path) -> Lines {
    match read_lines(path) {
        Ok(lines) => lines,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let path = path.display();
            tracing::warn!(%path, %error, "addresses of nodes from before can't be read; they are found and written anew");
            Vec::new()
        }
    }
}

fn read_lines(path: &Path) -> io::Result<Lines> {
    let bytes = fs::metadata(path)?.len();
    if bytes > FILE_BYTES {
        return Err(io::Error::other(format!("it has {bytes} bytes, the most is {FILE_BYTES}")));
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// Writes the newest lines, again and again until nobody learns any more.
async fn write_changes(path: PathBuf, mut lines: watch::Receiver<Lines>) {
    let path: Arc<Path> = path.into();
    while lines.changed().await.is_ok() {
        let (newest, path) = (lines.borrow_and_update().clone(), path.clone());
        // A runtime that ends writes nothing any more.
        let _ = tokio::task::spawn_blocking(move || write(&path, &newest)).await;
    }
}

fn write(path: &Path, lines: &[PeerAddress]) {
    let written = serde_json::to_vec_pretty(lines).map_err(io::Error::from).and_then(|text| replace(path, &text));
    if let Err(error) = written {
        tracing::warn!(path = %path.display(), %error, "addresses of nodes can't be kept");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn address(port: u64) -> Multiaddr {
        format!("/ip4/10.0.0.{}/tcp/{}", port / 60_000, port % 60_000 + 1).parse().unwrap()
    }

    fn known(book: &AddressBook, peer: &PeerId) -> Vec<Multiaddr> {
        book.addresses(peer).cloned().collect()
    }

    #[tokio::test]
    async fn what_was_learned_is_there_after_a_restart_and_what_is_forgotten_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("addresses.json");
        let (one, other) = (PeerId::random(), PeerId::random());
        let mut book = AddressBook::open(Some(path.clone()));
        book.learn(one, [address(1), address(2)].iter());
        book.learn(other, [address(3)].iter());
        book.learn(one, [address(4)].iter());
        book.close().await;
        let mut book = AddressBook::open(Some(path.clone()));
        assert_eq!((known(&book, &one), known(&book, &other)), (vec![address(4)], vec![address(3)]));
        book.forget(other);
        book.close().await;
        let book = AddressBook::open(Some(path.clone()));
        assert_eq!((known(&book, &one), known(&book, &other)), (vec![address(4)], Vec::new()));
    }

    #[tokio::test]
    async fn what_is_no_such_file_is_not_used_and_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("addresses.json");
        let peer = PeerId::random();
        for text in ["", "[", "{}", "[\"/ip4/1.2.3.4/udp/1\"]", "\u{0}"] {
            fs::write(&path, text).unwrap();
            let mut book = AddressBook::open(Some(path.clone()));
            assert!(book.lines.is_empty(), "{text}");
            book.learn(peer, [address(1)].iter());
            book.close().await;
            assert_eq!(read(&path).len(), 1);
        }
        let long = fs::File::create(&path).unwrap();
        long.set_len(FILE_BYTES + 1).unwrap();
        assert!(read_lines(&path).unwrap_err().to_string().contains("the most is"));
    }

    #[tokio::test]
    async fn of_too_many_nodes_the_newest_are_kept() {
        let mut book = AddressBook::open(None);
        let peers: Vec<PeerId> = (0..NODES + 20).map(|_| PeerId::random()).collect();
        for (number, peer) in peers.iter().enumerate() {
            book.learn(*peer, [address(number as u64), address(number as u64 + 1)].iter());
        }
        let first = |peer: &PeerId| book.addresses(peer).next().is_some();
        assert!(!peers[..20].iter().any(first) && peers[20..].iter().all(first));
        assert_eq!(book.lines.len(), 2 * NODES);
        book.close().await;
    }
}
