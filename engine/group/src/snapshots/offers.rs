//! The snapshots that this node has for others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use hanse_ledger::portable::{ExportError, Exporter, Folder, FolderError};
use hanse_ledger::{Ledger, LedgerError};
use hanse_replica::sync::{Description, Offer};
use hanse_types::portable::{Anchor, Manifest, NamedValidators};
use hanse_types::{Canonical, Epoch, Hash, Height};
use hanse_vm::system::params;
use parking_lot::Mutex;
use tracing::{debug, info, warn};

use super::OfferRules;

/// The folder in the group's.
const FOLDER: &str = "offers";
/// What the name of one ends with that is being written.
const PARTIAL: &str = "partial";

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Offers(Arc<Inner>);

struct Inner {
    ledger: Ledger,
    rules: OfferRules,
    place: PathBuf,
    kept: Mutex<BTreeMap<Height, Kept>>,
    /// Whether one is being written.
    making: AtomicBool,
}

#[derive(Clone)]
struct Kept {
    id: Hash,
    folder: Folder,
}

impl Offers {
    /// Those that are kept in a group's folder. What can't be read of them is given up.
    pub(crate) fn open(directory: &Path, ledger: Ledger, rules: OfferRules) -> Offers {
        let place = directory.join(FOLDER);
        let mut kept = BTreeMap::new();
        let entries = std::fs::read_dir(&place).into_iter().flatten().flatten();
        for folder in entries.map(|entry| Folder::at(entry.path())) {
            match find(&ledger, &folder) {
                Some(manifest) => drop(kept.insert(manifest.height, Kept { id: manifest.id(), folder })),
                None => remove(&folder),
            }
        }
        let (kept, making) = (Mutex::new(kept), AtomicBool::new(false));
        Offers(Arc::new(Inner { ledger, rules, place, kept, making }))
    }

    /// A block is durable: if it is one of those by the rule, a snapshot is made, away from here.
    pub(crate) fn durable(&self, height: Height) {
        let Inner { ledger, rules, making, .. } = &*self.0;
        if rules.every == 0 || !height.0.is_multiple_of(rules.every) || making.swap(true, Ordering::AcqRel) {
            return;
        }
        let (offers, exporter) = (self.clone(), ledger.exporter());
        tokio::task::spawn_blocking(move || {
            // The next block may be there already.
            if exporter.height() == height {
                offers.make(&exporter);
            }
            offers.0.making.store(false, Ordering::Release);
        });
    }

    fn make(&self, exporter: &Exporter) {
        let (begun, height) = (Instant::now(), exporter.height());
        match self.write(exporter) {
            Ok(manifest) => {
                let (chunks, took_ms) = (manifest.chunks.len(), begun.elapsed().as_millis() as u64);
                info!(height = height.0, chunks, took_ms, "a snapshot for other members was made");
            }
            Err(ExportError::Ledger(error @ LedgerError::BeforeFirst { .. })) => {
                debug!(height = height.0, %error, "no snapshot for other members yet");
            }
            // The older ones stay.
            Err(error) => warn!(height = height.0, %error, "a snapshot for other members can't be made"),
        }
    }

    fn write(&self, exporter: &Exporter) -> Result<Manifest, ExportError<FolderError>> {
        let Inner { place, rules, kept, .. } = &*self.0;
        let lifetime_ms = params::load(exporter.state()).map_err(LedgerError::from)?.tx_lifetime_ms_max;
        let (name, taken) = (exporter.height().to_string(), ExportError::Chunk);
        let partial = Folder::at(place.join(format!("{name}.{PARTIAL}")));
        partial.remove().and_then(|()| partial.make()).map_err(taken)?;
        let written = exporter.run(lifetime_ms, |index, bytes| partial.put_chunk(index, &bytes));
        let manifest = written.inspect_err(|_| remove(&partial))?;
        partial.put_manifest(&manifest).map_err(taken)?;
        let folder = Folder::at(place.join(name));
        folder.remove().map_err(taken)?;
        let folder = partial.rename(folder.path().to_owned()).map_err(taken)?;
        let mut kept = kept.lock();
        kept.insert(manifest.height, Kept { id: manifest.id(), folder });
        while kept.len() > rules.keep.max(1) {
            kept.pop_first().iter().for_each(|(_, old)| remove(&old.folder));
        }
        Ok(manifest)
    }

    /// What there is, the newest first.
    pub(crate) fn list(&self) -> Vec<Offer> {
        self.0.kept.lock().iter().rev().map(|(height, kept)| Offer { height: *height, id: kept.id }).collect()
    }

    /// What a snapshot is; none if it is not here.
    pub(crate) fn description(&self, id: &Hash) -> Result<Option<Description>, String> {
        let Some((height, folder)) = self.find(id) else { return Ok(None) };
        let Some(manifest) = folder.manifest().map_err(text)? else { return Ok(None) };
        let ledger = &self.0.ledger;
        let Some((header, certificate)) = ledger.header_and_certificate(height).map_err(text)? else {
            return Ok(None);
        };
        let mut handovers = Vec::new();
        for epoch in 1..=hanse_ledger::handover::next_epoch(&header).0 {
            let Some(handover) = ledger.handover(Epoch(epoch)).map_err(text)? else { break };
            let validators = handover.validators.as_slice().to_vec();
            handovers.push(NamedValidators { header: handover.header, certificate: handover.certificate, validators });
        }
        let anchor = Anchor { header, certificate, handovers };
        match anchor.encoded_len() <= Anchor::MAX_BYTES {
            true => Ok(Some(Description { manifest, anchor })),
            false => Err("the validators have changed too often for one message to say how".into()),
        }
    }

    /// A chunk's bytes; none of what is not here.
    pub(crate) fn chunk(&self, id: &Hash, index: u32) -> Result<Vec<u8>, String> {
        match self.find(id) {
            Some((_, folder)) => Ok(folder.chunk(index).map_err(text)?.unwrap_or_default()),
            None => Ok(Vec::new()),
        }
    }

    fn find(&self, id: &Hash) -> Option<(Height, Folder)> {
        let kept = self.0.kept.lock();
        kept.iter().find(|(_, kept)| kept.id == *id).map(|(height, kept)| (*height, kept.folder.clone()))
    }
}

/// What lies in a folder, if it is a snapshot of this ledger.
fn find(ledger: &Ledger, folder: &Folder) -> Option<Manifest> {
    let is_named = |manifest: &Manifest| folder.path().file_name() == Some(manifest.height.to_string().as_ref());
    let manifest = folder.manifest().ok().flatten().filter(is_named)?;
    let is_ours = ledger.block_hash(manifest.height).ok().flatten() == Some(manifest.block_hash);
    is_ours.then_some(manifest)
}

fn remove(folder: &Folder) {
    if let Err(error) = folder.remove() {
        warn!(%error, "what is left of a snapshot for other members can't be deleted");
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
