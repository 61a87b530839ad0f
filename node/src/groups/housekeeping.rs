//! What is done to a ledger while its chain goes on: history is given up, snapshots are taken and given up, both by
//! rules that an operator chose. It counts blocks, never time, and works beside the chain.

use std::path::{Path, PathBuf};

use hanse_group::Group;
use hanse_ledger::Ledger;
use hanse_types::Height;

/// History is given up in steps of this part of what is kept: a step costs a synced write.
const PRUNE_STEPS: u64 = 16;
/// What snapshots that are taken by the rule begin with.
const AUTOMATIC: &str = "auto-";

/// The rules.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Housekeeping {
    /// Newest blocks that keep their history; 0 keeps all.
    pub(crate) keep_history: u64,
    /// Blocks between two snapshots; 0 takes none.
    pub(crate) snapshot_every: u64,
    /// Snapshots by this rule that are kept.
    pub(crate) keep_snapshots: usize,
}

/// Follows the chain until it ends.
pub(super) async fn run(rules: Housekeeping, group: Group, snapshots: PathBuf) {
    let mut tip = group.tip();
    let mut last = tip.borrow_and_update().height.0;
    while tip.changed().await.is_ok() {
        let height = tip.borrow_and_update().height.0;
        if rules.prunes(last, height) {
            let ledger = group.ledger().clone();
            beside(move || prune(&ledger, Height(height - rules.keep_history))).await;
        }
        if rules.takes_snapshot(last, height) {
            let (ledger, folder) = (group.ledger().clone(), snapshots.clone());
            beside(move || take_snapshot(&ledger, &folder, rules.keep_snapshots)).await;
        }
        last = height;
    }
}

impl Housekeeping {
    /// Whether history is given up when the chain went from one height to another.
    fn prunes(&self, last: u64, height: u64) -> bool {
        let step = (self.keep_history / PRUNE_STEPS).max(1);
        self.keep_history > 0 && height > self.keep_history && last / step != height / step
    }

    fn takes_snapshot(&self, last: u64, height: u64) -> bool {
        self.snapshot_every > 0 && last / self.snapshot_every != height / self.snapshot_every
    }
}

/// Runs something slow where nobody waits for it but us. A panic in it is in the log already.
async fn beside(work: impl FnOnce() + Send + 'static) {
    let _ = tokio::task::spawn_blocking(work).await;
}

fn prune(ledger: &Ledger, below: Height) {
    match ledger.prune_history(below) {
        Ok(oldest) => tracing::info!(oldest = oldest.0, "history given up"),
        Err(error) => tracing::error!(%error, "history can't be given up"),
    }
}

fn take_snapshot(ledger: &Ledger, folder: &Path, keep: usize) {
    let name = format!("{AUTOMATIC}{}", ledger.height());
    match ledger.snapshot(&folder.join(&name)) {
        Ok(manifest) => tracing::info!(height = manifest.height.0, %name, "snapshot taken"),
        // The disk may be full: the older ones stay.
        Err(error) => return tracing::error!(%error, "a snapshot can't be taken"),
    }
    for old in surplus(folder, keep) {
        match std::fs::remove_dir_all(&old) {
            Ok(()) => tracing::info!(snapshot = %old.display(), "snapshot given up"),
            Err(error) => tracing::warn!(%error, snapshot = %old.display(), "a snapshot can't be given up"),
        }
    }
}

/// Snapshots by the rule beyond those that are kept, the oldest first.
fn surplus(folder: &Path, keep: usize) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let height = |path: &Path| path.file_name()?.to_str()?.strip_prefix(AUTOMATIC)?.parse::<u64>().ok();
    let mut found: Vec<(u64, PathBuf)> =
        entries.filter_map(|entry| height(&entry.path()).map(|height| (height, entry.path()))).collect();
    found.sort();
    let surplus = found.len().saturating_sub(keep);
    found.into_iter().take(surplus).map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rules_count_blocks_also_where_some_were_not_seen() {
        let rules = Housekeeping { keep_history: 32, snapshot_every: 10, keep_snapshots: 1 };
        assert!(!rules.prunes(30, 32));
        assert!(rules.prunes(32, 34));
        assert!(!rules.prunes(34, 35));
        assert!(rules.prunes(34, 99));
        assert!(rules.takes_snapshot(9, 10) && rules.takes_snapshot(5, 33) && !rules.takes_snapshot(10, 19));
        let none = Housekeeping::default();
        assert!(!none.prunes(0, 1_000) && !none.takes_snapshot(0, 1_000));
    }

    #[test]
    fn only_the_rule_s_own_snapshots_are_given_up_the_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["auto-9", "auto-10", "auto-200", "monday", "auto-x"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        assert_eq!(surplus(folder.path(), 1), [folder.path().join("auto-9"), folder.path().join("auto-10")]);
        assert!(surplus(folder.path(), 3).is_empty());
        assert!(surplus(&folder.path().join("absent"), 0).is_empty());
    }
}
