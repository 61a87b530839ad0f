//! How a group comes to be on this node: created here, or invited to and agreed to, and opened with the last signature.

use hanse_types::crypto::PublicKey;
use hanse_types::{Founding, Genesis};

use super::record;
use super::{Accept, ChainFolder, GROUPS_FOLDER, GroupStatus, Groups, GroupsError, Hosted, Standing, is_among_nodes};

/// Invitations that may wait for an answer.
const INVITATIONS: usize = 64;

impl Groups {
    /// Founds a group, as its first validator: the others are invited.
    ///
    /// # Errors
    /// If no group can have this genesis, it is of another chain, names this node nowhere, or there is one of its name.
    pub(crate) async fn create(&self, genesis: Genesis) -> Result<GroupStatus, GroupsError> {
        let _turn = self.turn.lock().await;
        let mut founding = Founding::new(genesis)?;
        self.check_new(&founding)?;
        let key = self.key();
        if !founding.genesis().validators.iter().any(|validator| validator.key == key) {
            return Err(GroupsError::NotAMember { key });
        }
        founding.sign(&*self.shared.signer)?;
        let name = self.keep(founding, Standing::Agreed)?;
        tracing::info!(group = %name, "a group is being founded");
        self.run_if_complete(&name).await?;
        self.status(&name)
    }

    /// Takes in a founding from elsewhere, whatever it is: what is new of it. `by` is who sent it, an operator if nobody.
    ///
    /// # Errors
    /// If it is none, or of another chain, or there is another group of its name, or this node is to have no part in it.
    pub(crate) async fn invite(&self, founding: Founding, by: Option<PublicKey>) -> Result<String, GroupsError> {
        founding.check()?;
        let _turn = self.turn.lock().await;
        let name = founding.genesis().group_id.clone();
        if self.merge(&name, &founding)? {
            self.run_if_complete(&name).await?;
            return Ok(name);
        }
        if self.hosted.lock().contains_key(&name) || self.is_unwanted(&founding, by)? {
            return Ok(name);
        }
        let key = self.key();
        let is_founder = founding.genesis().validators.iter().any(|validator| validator.key == key);
        if !is_founder && !founding.is_complete() {
            return Err(GroupsError::NotAMember { key });
        }
        self.check_new(&founding)?;
        let waiting = self.hosted.lock().values().filter(|hosted| hosted.standing == Standing::Invited).count();
        if waiting >= INVITATIONS {
            return Err(GroupsError::Full(waiting));
        }
        self.keep(founding, Standing::Invited)?;
        tracing::warn!(group = %name, by = ?by.map(|key| key.to_string()), "this node is invited to a group");
        if self.accepts(by) {
            self.agree(&name).await?;
        }
        Ok(name)
    }

    /// Whether this node's operators declined a founding, and it is not they who bring it now.
    fn is_unwanted(&self, founding: &Founding, by: Option<PublicKey>) -> Result<bool, GroupsError> {
        let (mut declined, genesis) = (self.declined.lock(), founding.genesis().hash());
        if by.is_none() {
            declined.forget(&genesis)?;
        }
        Ok(declined.has(&genesis))
    }

    /// Whether an invitation of this node is accepted without asking anybody.
    fn accepts(&self, by: Option<PublicKey>) -> bool {
        let Some(key) = by else { return false };
        match self.accept {
            Accept::Ask => false,
            Accept::Members => self
                .running(None)
                .is_ok_and(|home| home.group().members().borrow().as_slice().iter().any(|member| member.key == key)),
        }
    }

    /// Takes over signatures of a group that is known; whether there were any, or it is complete and does not run yet.
    fn merge(&self, name: &str, copy: &Founding) -> Result<bool, GroupsError> {
        let mut hosted = self.hosted.lock();
        let Some(known) = hosted.get_mut(name) else { return Ok(false) };
        let Some(founding) = &mut known.founding else {
            return Err(GroupsError::Exists { name: name.into(), genesis: known.hash });
        };
        if founding.genesis() != copy.genesis() {
            return Err(GroupsError::Exists { name: name.into(), genesis: known.hash });
        }
        let mut merged = founding.clone();
        if !merged.merge(copy)? {
            return Ok(false);
        }
        record::write_founding(&known.folder.0, &merged)?;
        *founding = merged;
        drop(hosted);
        self.changed();
        Ok(true)
    }

    /// Agrees to what this node was invited to.
    ///
    /// # Errors
    /// If there is nothing to agree to, or the group does not open.
    pub(crate) async fn accept(&self, name: &str) -> Result<GroupStatus, GroupsError> {
        let _turn = self.turn.lock().await;
        let standing = self.status(name)?.standing;
        if standing != Standing::Invited {
            let hint = "there is no invitation to accept";
            return Err(GroupsError::State { name: name.into(), is: standing.name(), hint });
        }
        self.agree(name).await?;
        self.status(name)
    }

    async fn agree(&self, name: &str) -> Result<(), GroupsError> {
        {
            let mut hosted = self.hosted.lock();
            let known =
                hosted.get_mut(name).ok_or_else(|| GroupsError::Unknown { name: name.into(), known: String::new() })?;
            if let Some(founding) = &mut known.founding
                && founding.missing().any(|validator| validator.key == self.key())
            {
                let mut signed = founding.clone();
                signed.sign(&*self.shared.signer)?;
                record::write_founding(&known.folder.0, &signed)?;
                *founding = signed;
            }
            record::write_standing(&known.folder.0, Standing::Agreed)?;
            known.standing = Standing::Agreed;
        }
        tracing::info!(group = %name, "this node agrees to the group");
        self.changed();
        self.run_if_complete(name).await
    }

    /// Opens a group that this node agreed to, once all have.
    async fn run_if_complete(&self, name: &str) -> Result<(), GroupsError> {
        let is_complete = {
            let hosted = self.hosted.lock();
            let complete = |known: &Hosted| known.founding.as_ref().is_some_and(Founding::is_complete);
            hosted.get(name).is_some_and(|known| known.standing == Standing::Agreed && complete(known))
        };
        if !is_complete {
            return Ok(());
        }
        self.stand(name, Standing::Active)?;
        self.run(name).await
    }

    /// Whether a new group may have the name and the chain that it has.
    fn check_new(&self, founding: &Founding) -> Result<(), GroupsError> {
        let genesis = founding.genesis();
        let home = self.home_genesis().ok_or(GroupsError::NoGroups)?;
        if genesis.chain_id != home.chain_id {
            let (found, expected) = (genesis.chain_id.clone(), home.chain_id.clone());
            return Err(GroupsError::OtherChain { found, expected });
        }
        if is_among_nodes(genesis) && self.shared.net.is_none() {
            return Err(GroupsError::NoNetwork);
        }
        match self.hosted.lock().get(&genesis.group_id) {
            Some(known) => Err(GroupsError::Exists { name: genesis.group_id.clone(), genesis: known.hash }),
            None => Ok(()),
        }
    }

    /// Writes down a founding that is new here.
    fn keep(&self, founding: Founding, standing: Standing) -> Result<String, GroupsError> {
        let folder = ChainFolder(self.folder.0.join(GROUPS_FOLDER).join(&founding.genesis().group_id));
        record::write_founding(&folder.0, &founding)?;
        record::write_standing(&folder.0, standing)?;
        let name = self.insert(founding, standing, folder);
        self.changed();
        Ok(name)
    }
}
