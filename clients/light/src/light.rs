//! A light node: follows the chain through its nodes, one round after another.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hanse_client::methods::{BlockAt, CertificateParams, GetCertificate, GetHandovers, HandoversParams, Method};
use hanse_client::proof::{Anchor, ProofError};
use hanse_client::views::CertifiedHeader;
use hanse_client::{Client, ClientError};
use hanse_types::validator_set::ValidatorSetError;
use hanse_types::{Canonical, Genesis, Header, Height};
use parking_lot::Mutex;
use thiserror::Error;

use crate::chain::{Chain, Fork, Refused, WINDOW};
use crate::file::{FileError, StateFile};
use crate::status::{Figures, LightStatus, NodeStanding, Standing};

/// Blocks behind which a light node still walks from header to header; from further behind it leaps, by handovers.
const WALK: u64 = 10_000;
/// Headers after which what was followed is kept, if there are more to come.
const KEEP_EVERY: u64 = 500;
/// How long a node may take for one answer.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// How long one node is followed before it is the next one's turn: one that gives its headers slowly delays the others by no
/// more than this and one answer.
const TURN: Duration = Duration::from_secs(5);

/// Why a light node did not start.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Its genesis has no sound validators.
    #[error("the genesis is not sound: {0}")]
    Genesis(#[from] ValidatorSetError),
    /// A node's address can't be used.
    #[error(transparent)]
    Node(#[from] ClientError),
    /// Its file can't be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why a node's answer was not taken.
#[derive(Debug, Error)]
pub(crate) enum Trouble {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    File(#[from] FileError),
    /// It is true, but old.
    #[error("it is of block {found}, and block {newest} is known")]
    Behind { found: Height, newest: Height },
}

/// A full node that is asked.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) client: Client,
    standing: Mutex<Standing>,
}

impl Source {
    /// Asks for something that a node has at hand.
    pub(crate) async fn call<M: Method>(&self, params: M::Params) -> Result<M::Answer, ClientError> {
        self.client.call_within::<M>(params, ANSWER_TIME).await
    }

    /// A header with its certificate, unchecked.
    async fn certified(&self, at: BlockAt) -> Result<CertifiedHeader, ClientError> {
        self.call::<GetCertificate>(CertificateParams { at }).await
    }
}

/// See the module. Shared by whoever follows and whoever asks.
#[derive(Debug)]
pub struct Light {
    pub(crate) chain: Mutex<Chain>,
    pub(crate) sources: Vec<Arc<Source>>,
    file: StateFile,
    fork: Mutex<Option<Fork>>,
    figures: Mutex<Figures>,
}

impl Light {
    /// A light node of the chain with this genesis, which goes on with what the file holds.
    ///
    /// # Errors
    /// If genesis, addresses or the file are not sound.
    pub fn open(genesis: &Genesis, file: &Path, nodes: &[String]) -> Result<Light, OpenError> {
        let file = StateFile::new(file);
        let (chain, fork) = file.read(Anchor::new(genesis)?)?;
        let source = |url: &String| {
            let client = Client::new(url)?.in_group(&genesis.group_id).of_chain(genesis.hash());
            Ok(Arc::new(Source { client, standing: Mutex::default() }))
        };
        let sources = nodes.iter().map(source).collect::<Result<_, ClientError>>()?;
        Ok(Light { chain: Mutex::new(chain), sources, file, fork: Mutex::new(fork), figures: Mutex::default() })
    }

    /// The fork that ended all trust, if there was one.
    pub fn fork(&self) -> Option<Fork> {
        self.fork.lock().clone()
    }

    /// Asks every node once for what is new, takes what holds, and compares the rest.
    ///
    /// # Errors
    /// If the file can't be written. What nodes do wrong is in [`Light::status`], a fork in [`Light::fork`].
    pub async fn round(&self) -> Result<(), FileError> {
        for source in self.by_standing() {
            if self.fork().is_some() {
                return Ok(());
            }
            match self.follow(&source).await {
                Ok(height) => self.rank(&source, height),
                Err(Trouble::File(error)) => return Err(error),
                Err(trouble) => self.note(&source, &trouble)?,
            }
        }
        Ok(())
    }

    /// How it is doing.
    pub fn status(&self) -> LightStatus {
        let chain = self.chain.lock();
        let (identity, tip) = (chain.anchor().chain(), chain.tip());
        let node = |source: &Arc<Source>| NodeStanding {
            url: source.client.url().into(),
            standing: source.standing.lock().clone(),
        };
        LightStatus {
            chain_id: identity.chain_id.clone(),
            group_id: identity.group_id.clone(),
            genesis_hash: identity.genesis,
            height: tip.map_or(Height(0), |tip| tip.height),
            block_hash: tip.map(Header::hash),
            block_time: tip.map(|tip| tip.timestamp),
            epoch: chain.anchor().epoch().0,
            nodes: self.sources.iter().map(node).collect(),
            figures: *self.figures.lock(),
            fork: self.fork(),
        }
    }

    /// Takes what a node has and is new, as far as its turn lasts; how high it is seen to be.
    pub(crate) async fn follow(&self, source: &Source) -> Result<Height, Trouble> {
        let began = Instant::now();
        let newest = source.certified(BlockAt::Latest).await?;
        let height = Header::decode(&newest.header.0).map_err(ProofError::from).map_err(ClientError::from)?.height;
        let tip = self.height();
        // The genesis block was decided by nobody, and says nothing.
        if height == Height(0) {
            return Ok(height);
        }
        if height <= tip {
            self.take(source, &newest).await?;
            return Ok(height);
        }
        let first = match tip.0 == 0 || height.0 - tip.0 > WALK {
            true => height.0.saturating_sub(WINDOW as u64).max(tip.0) + 1,
            false => tip.0 + 1,
        };
        for at in first..height.0 {
            let next = source.certified(BlockAt::Height(Height(at))).await?;
            if at == first && at > tip.0 + 1 {
                self.leap(source, &next).await?;
            }
            let header = self.take(source, &next).await?;
            if header.height.0 != at {
                return Err(ClientError::from(ProofError::Other).into());
            }
            let is_over = began.elapsed() > TURN;
            if is_over || at % KEEP_EVERY == 0 {
                self.keep()?;
            }
            if is_over {
                return Ok(header.height);
            }
        }
        self.take(source, &newest).await?;
        self.keep()?;
        Ok(height)
    }

    /// Goes on from a header far ahead, if it holds.
    async fn leap(&self, source: &Source, to: &CertifiedHeader) -> Result<(), Trouble> {
        match self.take(source, to).await {
            // Checked, and not the next: as is to be expected.
            Err(Trouble::Refused(Refused::Gap { .. })) => {
                self.chain.lock().leap();
                Ok(())
            }
            other => other.map(drop),
        }
    }

    /// Takes or compares a header, and asks for handovers where they are needed.
    pub(crate) async fn take(&self, source: &Source, certified: &CertifiedHeader) -> Result<Header, Trouble> {
        loop {
            let known = self.chain.lock().anchor().epoch();
            let began = Instant::now();
            let accepted = self.chain.lock().accept(certified);
            self.count(certified, began);
            match accepted {
                Err(Refused::Proof(ProofError::UnknownEpoch { .. })) => {}
                other => return Ok(other?),
            }
            let params = HandoversParams { from: known.0 + 1, limit: None };
            for handover in source.call::<GetHandovers>(params).await?.handovers {
                let chain = self.chain.lock();
                // Another question may have led there meanwhile.
                if handover.epoch > chain.anchor().epoch().0 {
                    chain.follow(&handover).map_err(Refused::from)?;
                }
            }
            if self.chain.lock().anchor().epoch() == known {
                return Ok(self.chain.lock().accept(certified)?);
            }
        }
    }

    /// Notes what a node did wrong; a fork ends everything.
    pub(crate) fn note(&self, source: &Source, trouble: &Trouble) -> Result<(), FileError> {
        if let Trouble::Refused(Refused::Fork(fork)) = trouble {
            *self.fork.lock() = Some((**fork).clone());
            self.keep()?;
        }
        let reason = trouble.to_string();
        *source.standing.lock() = match trouble {
            Trouble::Behind { found, .. } => Standing::Lagging { height: *found },
            // True, but more than could be reached in its turn.
            Trouble::Refused(Refused::Gap { .. }) => Standing::Away { reason },
            Trouble::Client(ClientError::Proof(_) | ClientError::Protocol { .. }) | Trouble::Refused(_) => {
                Standing::Lying { reason }
            }
            _ => Standing::Away { reason },
        };
        Ok(())
    }

    /// Those to ask, the best first.
    pub(crate) fn by_standing(&self) -> Vec<Arc<Source>> {
        let rank = |source: &Arc<Source>| match &*source.standing.lock() {
            Standing::Good { .. } => 0,
            Standing::Unknown => 1,
            Standing::Lagging { .. } => 2,
            Standing::Away { .. } => 3,
            Standing::Lying { .. } => 4,
        };
        let mut sources = self.sources.clone();
        sources.sort_by_key(rank);
        sources
    }

    fn rank(&self, source: &Source, height: Height) {
        // One behind is usual: the others have it a moment later.
        let is_behind = height.next() < self.height();
        *source.standing.lock() = if is_behind { Standing::Lagging { height } } else { Standing::Good { height } };
    }

    /// Height of the newest header; 0 before the first.
    pub(crate) fn height(&self) -> Height {
        self.chain.lock().tip().map_or(Height(0), |tip| tip.height)
    }

    fn keep(&self) -> Result<(), FileError> {
        self.file.write(&self.chain.lock(), self.fork.lock().as_ref())
    }

    fn count(&self, certified: &CertifiedHeader, began: Instant) {
        let mut figures = self.figures.lock();
        figures.headers += 1;
        figures.bytes += (certified.header.0.len() + certified.certificate.0.len()) as u64;
        figures.check_us += began.elapsed().as_micros() as u64;
    }
}
