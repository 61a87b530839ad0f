//! Groups that got a snapshot are opened anew, on the ledger that was made of it.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::select_all;

use super::Groups;

/// Follows the groups, whichever run, until the node ends.
pub(crate) async fn run(groups: Arc<Groups>) {
    let mut changes = groups.follow();
    loop {
        changes.mark_unchanged();
        let running = groups.list().into_iter().filter_map(|status| {
            let (ready, name) = (status.running?.group().snapshot_ready(), status.genesis.group_id.clone());
            Some(ready.map(|()| name).boxed())
        });
        // One that never is: of no futures none would be the first.
        let waiting: Vec<_> = running.chain([std::future::pending().boxed()]).collect();
        let name = tokio::select! {
            (name, ..) = select_all(waiting) => name,
            changed = changes.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        match groups.reopen(&name).await {
            Ok(()) => tracing::info!(group = %name, "the group goes on from its snapshot"),
            Err(error) => {
                tracing::error!(group = %name, %error, "the group has got a snapshot and is not opened anew; start the node again");
            }
        }
    }
}
