//! The groups of this node: founded, opened, stopped and given up while it runs, and while the others go on.
//!
//! One group is named by the node's configuration, its **home**; the others lie in folders beside it, each with its own
//! genesis, ledger and snapshots. A group is founded by invitation: somebody writes its genesis, each of its validators
//! signs it, and with the last signature it exists ([`hanse_types::founding`]). Nodes tell each other of foundings in the
//! network's lobby ([`lobby`]); where they can't, a file carries them.
//!
//! | part | what |
//! |---|---|
//! | [`running`] | a group that runs, and what is done beside it |
//! | [`founding`] | how a group comes to be: created, invited to, agreed to |
//! | [`record`], [`declined`] | what is kept of a group beside its ledger; foundings that nobody wants to hear of again |
//! | [`lobby`] | invitations and signatures between nodes |
//! | [`snapshots`] | groups that got a snapshot are opened anew |
//! | [`folder`], [`housekeeping`], [`members`] | a group's files; its history and snapshots; who the network lets in for it |
//!
//! It promises that a group which fails or does not open leaves the others running; that what an operator decided holds
//! after a restart; and that nothing of a group is deleted but at an operator's word.
//!
//! It knows nothing of requests and command lines. Start reading at [`Groups`].

mod accept;
mod declined;
mod error;
pub(crate) mod folder;
mod founding;
pub(crate) mod housekeeping;
pub(crate) mod lobby;
mod members;
pub(crate) mod record;
mod running;
pub(crate) mod snapshots;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hanse_group::{GroupConfig, Network, OpenError};
use hanse_types::crypto::PublicKey;
use hanse_types::genesis::ConsensusKind;
use hanse_types::{Founding, Genesis, Hash, Role};
use parking_lot::Mutex;
use tokio::sync::watch;

pub(crate) use accept::Accept;
use declined::Declined;
pub(crate) use error::GroupsError;
pub(crate) use folder::{ChainFolder, FolderError, read_genesis, write_genesis};
pub(crate) use housekeeping::Housekeeping;
pub(crate) use record::Standing;
pub(crate) use running::{Running, Shared};

/// The folder of all groups but the configured one, in the data folder.
const GROUPS_FOLDER: &str = "groups";
/// How long a group that stops may take to close its files.
const CLOSING: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct Groups {
    shared: Shared,
    /// How every group is run; its genesis and folder are those of the home. None of a node that has no groups.
    usual: Option<GroupConfig>,
    /// The data folder.
    folder: ChainFolder,
    accept: Accept,
    hosted: Mutex<BTreeMap<String, Hosted>>,
    declined: Mutex<Declined>,
    /// Held by whoever changes what runs: one at a time.
    turn: tokio::sync::Mutex<()>,
    /// Counts changes, for whoever follows them.
    changes: watch::Sender<u64>,
}

/// A group that this node has something to do with.
struct Hosted {
    genesis: Arc<Genesis>,
    hash: Hash,
    folder: ChainFolder,
    /// Of a group that was founded by invitation.
    founding: Option<Founding>,
    standing: Standing,
    run: Run,
}

/// Whether it runs.
enum Run {
    No,
    Yes(Arc<Running>),
    /// It has stopped, and its files are not closed yet.
    Closing,
    /// It did not open.
    Failed(String),
}

/// What is known of a group.
pub(crate) struct GroupStatus {
    /// What was agreed on.
    pub(crate) genesis: Arc<Genesis>,
    /// Its hash.
    pub(crate) hash: Hash,
    /// Whether it is the one that the configuration names.
    pub(crate) is_home: bool,
    /// What this node has to do with it.
    pub(crate) standing: Standing,
    /// Who signed, of a group that was founded by invitation.
    pub(crate) founding: Option<Founding>,
    /// The group, if it runs.
    pub(crate) running: Option<Arc<Running>>,
    /// Why it does not run, or runs no more.
    pub(crate) error: Option<String>,
}

impl Groups {
    /// Opens the home, then the others that this node takes part in. One of them that does not open is told of.
    ///
    /// # Errors
    /// If the home does not open.
    pub(crate) async fn open(
        shared: Shared,
        usual: GroupConfig,
        network: Option<Network>,
        folder: ChainFolder,
        accept: Accept,
    ) -> Result<Arc<Groups>, OpenError> {
        let genesis = Arc::new(usual.genesis.clone());
        let running = Running::open(&shared, usual.clone(), &folder, network, true).await?;
        let home = Hosted {
            hash: genesis.hash(),
            genesis: genesis.clone(),
            folder: folder.clone(),
            founding: None,
            standing: Standing::Active,
            run: Run::Yes(Arc::new(running)),
        };
        let hosted = Mutex::new([(genesis.group_id.clone(), home)].into());
        let changes = watch::Sender::new(0);
        let turn = tokio::sync::Mutex::default();
        let declined = Mutex::new(declined_in(&folder.0.join(GROUPS_FOLDER)));
        let groups = Arc::new(Groups { shared, usual: Some(usual), folder, accept, hosted, declined, turn, changes });
        groups.take_up().await;
        Ok(groups)
    }

    /// Those of a node that has none and gets none: a seed.
    pub(crate) fn none(shared: Shared, folder: ChainFolder) -> Arc<Groups> {
        let (hosted, turn) = (Mutex::default(), tokio::sync::Mutex::default());
        let changes = watch::Sender::new(0);
        let declined = Mutex::new(Declined::none(&folder.0.join(GROUPS_FOLDER)));
        Arc::new(Groups { shared, usual: None, folder, accept: Accept::Ask, hosted, declined, turn, changes })
    }

    /// Takes up the groups that lie in the data folder.
    async fn take_up(&self) {
        let _turn = self.turn.lock().await;
        let groups = self.folder.0.join(GROUPS_FOLDER);
        if let Err(error) = record::sweep_among(&groups) {
            tracing::warn!(%error, "what is left of a group that was removed can't be deleted");
        }
        let entries = std::fs::read_dir(&groups).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        folders.sort();
        for path in folders {
            let found = record::founding(&path).and_then(|founding| Ok((founding, record::standing(&path)?)));
            match found {
                Ok((Some(founding), standing)) => {
                    let name = self.insert(founding, standing, ChainFolder(path));
                    if standing == Standing::Active
                        && let Err(error) = self.run(&name).await
                    {
                        tracing::error!(group = %name, %error, "a group does not run");
                    }
                }
                Ok((None, _)) => tracing::warn!(folder = %path.display(), "there is no group in this folder"),
                Err(error) => tracing::error!(folder = %path.display(), %error, "a group can't be taken up"),
            }
        }
    }

    fn insert(&self, founding: Founding, standing: Standing, folder: ChainFolder) -> String {
        let genesis = Arc::new(founding.genesis().clone());
        let (name, hash) = (genesis.group_id.clone(), genesis.hash());
        let hosted = Hosted { genesis, hash, folder, founding: Some(founding), standing, run: Run::No };
        self.hosted.lock().insert(name.clone(), hosted);
        name
    }

    /// The configured group, which runs when the node starts; none of a seed, and so with all that follows from it.
    pub(crate) fn home_genesis(&self) -> Option<&Genesis> {
        self.usual.as_ref().map(|usual| &usual.genesis)
    }

    /// The configured group's name.
    pub(crate) fn home(&self) -> Option<&str> {
        self.home_genesis().map(|genesis| genesis.group_id.as_str())
    }

    /// How this node runs its groups.
    pub(crate) fn usual(&self) -> Option<&GroupConfig> {
        self.usual.as_ref()
    }

    /// This node's key.
    pub(crate) fn key(&self) -> PublicKey {
        self.shared.signer.public_key()
    }

    /// The group of this name, the home without one, if it runs.
    ///
    /// # Errors
    /// If there is none, or it does not run.
    pub(crate) fn running(&self, name: Option<&str>) -> Result<Arc<Running>, GroupsError> {
        let name = name.or(self.home()).ok_or(GroupsError::NoGroups)?;
        let hosted = self.hosted.lock();
        let Some(found) = hosted.get(name) else { return Err(unknown(&hosted, name)) };
        match &found.run {
            Run::Yes(running) => Ok(running.clone()),
            run => Err(GroupsError::NotRunning { name: name.into(), why: why_not(found.standing, run) }),
        }
    }

    /// All, by name.
    pub(crate) fn list(&self) -> Vec<GroupStatus> {
        self.hosted.lock().values().map(|hosted| self.status_of(hosted)).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// If there is none of this name.
    pub(crate) fn status(&self, name: &str) -> Result<GroupStatus, GroupsError> {
        let hosted = self.hosted.lock();
        hosted.get(name).map(|found| self.status_of(found)).ok_or_else(|| unknown(&hosted, name))
    }

    fn status_of(&self, hosted: &Hosted) -> GroupStatus {
        let running = hosted.running();
        let error = match (&hosted.run, &running) {
            (Run::Failed(why), _) => Some(why.clone()),
            (_, Some(running)) => running.group().stopped().map(|reason| reason.to_string()),
            _ => None,
        };
        GroupStatus {
            genesis: hosted.genesis.clone(),
            hash: hosted.hash,
            is_home: self.home() == Some(&hosted.genesis.group_id),
            standing: hosted.standing,
            founding: hosted.founding.clone(),
            running,
            error,
        }
    }

    /// Counts changes of any group.
    pub(crate) fn follow(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Starts a group that was stopped or left, or did not open.
    ///
    /// # Errors
    /// If it runs, was never agreed to, or does not open.
    pub(crate) async fn start(&self, name: &str) -> Result<GroupStatus, GroupsError> {
        let _turn = self.turn.lock().await;
        let status = self.status(name)?;
        let wrong = |hint| Err(GroupsError::State { name: name.into(), is: status.standing.name(), hint });
        match status.standing {
            Standing::Invited => return wrong("accept the invitation first"),
            Standing::Agreed => return wrong("it begins with the last of its members' signatures"),
            Standing::Active if status.running.is_some() => return wrong("and it runs"),
            Standing::Active | Standing::Stopped | Standing::Left => {}
        }
        self.stand(name, Standing::Active)?;
        self.run(name).await?;
        self.status(name)
    }

    /// Stops a group, until it is started again; the configured one, until the node is.
    ///
    /// # Errors
    /// If it does not run, or somebody uses it for longer than a stop may take.
    pub(crate) async fn stop(&self, name: &str) -> Result<GroupStatus, GroupsError> {
        let _turn = self.turn.lock().await;
        self.running(Some(name))?;
        self.stand(name, Standing::Stopped)?;
        self.halt(name).await?;
        self.status(name)
    }

    /// Closes a group that runs and opens it again.
    ///
    /// # Errors
    /// If somebody uses it for longer than a stop may take, or it does not open.
    async fn reopen(&self, name: &str) -> Result<(), GroupsError> {
        let _turn = self.turn.lock().await;
        self.halt(name).await?;
        self.run(name).await
    }

    /// Takes part no more. A validator is missed by the others, so it only leaves with `force`.
    ///
    /// # Errors
    /// If it is the configured group, or the node makes its blocks.
    pub(crate) async fn leave(&self, name: &str, force: bool) -> Result<GroupStatus, GroupsError> {
        let _turn = self.turn.lock().await;
        let status = self.status(name)?;
        if status.is_home {
            return Err(GroupsError::Home { name: name.into() });
        }
        if matches!(status.standing, Standing::Invited | Standing::Agreed) {
            let hint = "remove it to decline";
            return Err(GroupsError::State { name: name.into(), is: status.standing.name(), hint });
        }
        let (key, is_running) = (self.key(), status.running.is_some());
        let seals = status.running.is_some_and(|running| {
            let members = running.group().members();
            members.borrow().as_slice().iter().any(|member| member.key == key && member.role == Role::Sealer)
        });
        if seals && !force {
            return Err(GroupsError::Sealer { name: name.into() });
        }
        self.stand(name, Standing::Left)?;
        if is_running {
            self.halt(name).await?;
        }
        if let Some(net) = &self.shared.net {
            net.leave(&status.hash);
        }
        self.status(name)
    }

    /// Deletes what this node has of a group in which it takes no part; an invitation is declined by it, and does
    /// not come again.
    ///
    /// # Errors
    /// If it is the configured group, or the node takes part in it.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), GroupsError> {
        let _turn = self.turn.lock().await;
        let status = self.status(name)?;
        if status.is_home {
            return Err(GroupsError::Home { name: name.into() });
        }
        if status.standing == Standing::Active {
            let hint = "leave it first, or stop it";
            return Err(GroupsError::State { name: name.into(), is: status.standing.name(), hint });
        }
        let folder = match self.hosted.lock().get(name) {
            Some(known) if matches!(known.run, Run::Closing) => {
                return Err(GroupsError::InUse { name: name.into() });
            }
            Some(known) => known.folder.0.clone(),
            None => return Ok(()),
        };
        if status.standing == Standing::Invited {
            self.declined.lock().add(status.hash)?;
        }
        record::remove(&folder)?;
        self.hosted.lock().remove(name);
        if let Some(net) = &self.shared.net {
            net.leave(&status.hash);
        }
        tracing::warn!(group = %name, "what this node had of a group was removed");
        self.changed();
        Ok(())
    }

    /// Stops all, and waits until their files are closed; whether they are.
    pub(crate) async fn close(&self, patience: Duration) -> bool {
        let _turn = self.turn.lock().await;
        let running: Vec<Arc<Running>> = {
            let mut hosted = self.hosted.lock();
            hosted.values_mut().filter_map(|known| known.close()).collect()
        };
        let closing = running.into_iter().map(|running| running.close(&self.shared.metrics, patience));
        futures::future::join_all(closing).await.into_iter().all(|closed| closed)
    }

    /// Writes down what this node has to do with a group. Of the configured one, the configuration says it.
    fn stand(&self, name: &str, standing: Standing) -> Result<(), GroupsError> {
        let mut hosted = self.hosted.lock();
        let Some(known) = hosted.get_mut(name) else { return Ok(()) };
        if known.founding.is_some() {
            record::write_standing(&known.folder.0, standing)?;
        }
        known.standing = standing;
        drop(hosted);
        self.changed();
        Ok(())
    }

    /// Opens a group that is known and does not run.
    async fn run(&self, name: &str) -> Result<(), GroupsError> {
        let (genesis, folder) = {
            let hosted = self.hosted.lock();
            let Some(known) = hosted.get(name) else { return Err(unknown(&hosted, name)) };
            if matches!(known.run, Run::Closing) {
                return Err(GroupsError::InUse { name: name.into() });
            }
            (known.genesis.clone(), known.folder.clone())
        };
        let opened = self.opened(&genesis, &folder).await;
        let outcome = match opened {
            Ok(running) => Ok(Run::Yes(Arc::new(running))),
            Err(error) => Err(error.to_string()),
        };
        let mut hosted = self.hosted.lock();
        let Some(known) = hosted.get_mut(name) else { return Ok(()) };
        let result = match outcome {
            Ok(run) => {
                known.run = run;
                Ok(())
            }
            Err(why) => {
                known.run = Run::Failed(why.clone());
                Err(GroupsError::Open { name: name.into(), why })
            }
        };
        drop(hosted);
        self.changed();
        result
    }

    async fn opened(&self, genesis: &Arc<Genesis>, folder: &ChainFolder) -> Result<Running, GroupsError> {
        folder.adopt(genesis)?;
        let network = match (&self.shared.net, is_among_nodes(genesis)) {
            (Some(net), true) => Some(net.join(genesis.hash())),
            (None, true) => return Err(GroupsError::NoNetwork),
            (_, false) => None,
        };
        let usual = self.usual.clone().ok_or(GroupsError::NoGroups)?;
        let config = GroupConfig { genesis: (**genesis).clone(), directory: folder.group(), ..usual };
        let is_home = self.home() == Some(&genesis.group_id);
        let opened = Running::open(&self.shared, config, folder, network, is_home).await;
        opened.map_err(|error| GroupsError::Open { name: genesis.group_id.clone(), why: error.to_string() })
    }

    /// Stops a group that runs, and waits for its files.
    async fn halt(&self, name: &str) -> Result<(), GroupsError> {
        let running = self.hosted.lock().get_mut(name).and_then(Hosted::close);
        let Some(running) = running else { return Ok(()) };
        self.changed();
        let is_closed = running.close(&self.shared.metrics, CLOSING).await;
        if !is_closed {
            return Err(GroupsError::InUse { name: name.into() });
        }
        if let Some(known) = self.hosted.lock().get_mut(name) {
            known.run = Run::No;
        }
        self.changed();
        Ok(())
    }
}

impl Hosted {
    fn running(&self) -> Option<Arc<Running>> {
        match &self.run {
            Run::Yes(running) => Some(running.clone()),
            _ => None,
        }
    }

    /// From now on it closes; what ran until now.
    fn close(&mut self) -> Option<Arc<Running>> {
        let running = self.running()?;
        self.run = Run::Closing;
        Some(running)
    }
}

impl GroupStatus {
    /// The members: of a group that runs, by its newest block; else those that the genesis names.
    pub(crate) fn members(&self) -> Vec<hanse_types::Member> {
        match &self.running {
            Some(running) => running.group().members().borrow().as_slice().to_vec(),
            None => hanse_types::Members::from_genesis(&self.genesis)
                .map_or_else(|_| Vec::new(), |all| all.as_slice().to_vec()),
        }
    }
}

/// What this node's operators declined.
fn declined_in(groups: &Path) -> Declined {
    Declined::open(groups.into()).unwrap_or_else(|error| {
        tracing::warn!(%error, "invitations that were declined may come again");
        Declined::none(groups)
    })
}

/// Whether the chain is made by nodes that are connected to each other.
pub(crate) fn is_among_nodes(genesis: &Genesis) -> bool {
    genesis.consensus != ConsensusKind::Solo
}

fn unknown(hosted: &BTreeMap<String, Hosted>, name: &str) -> GroupsError {
    let known: Vec<&str> = hosted.keys().map(String::as_str).collect();
    GroupsError::Unknown { name: name.into(), known: known.join(", ") }
}

fn why_not(standing: Standing, run: &Run) -> String {
    match (standing, run) {
        (_, Run::Failed(why)) => why.clone(),
        (_, Run::Closing) => "it is being stopped".into(),
        (Standing::Invited, _) => "its operators have not accepted the invitation (`hanse group accept`)".into(),
        (Standing::Agreed, _) => "signatures of other members are missing (`hanse group show`)".into(),
        (Standing::Stopped, _) => "its operators have stopped it (`hanse group start`)".into(),
        (Standing::Left, _) => "the node has left it".into(),
        (Standing::Active, _) => "it has not been opened".into(),
    }
}
