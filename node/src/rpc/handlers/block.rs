//! Blocks.

use hanse_client::RpcError;
use hanse_client::methods::{
    BlockAt, BlockList, BlockParams, BlockPart, CertificateParams, ListBlocksParams, WaitBlockParams, WaitedBlock,
};
use hanse_client::views::{BlockSummary, BlockView, CertifiedHeader, TransactionView};
use hanse_ledger::LedgerError;
use hanse_types::{Hash, Header, Height, TxIndex};

use super::super::abi::Abis;
use super::super::registry::{Entry, reads, waits};
use super::super::{Node, errors, render};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] =
    &[reads!(GetBlock, get), reads!(ListBlocks, list), reads!(GetCertificate, certificate), waits!(WaitBlock, wait)];

/// The header of the block that a client means.
pub(super) fn header(node: &Node, at: BlockAt) -> Result<Header, RpcError> {
    let ledger = node.group.ledger();
    let found = match at {
        BlockAt::Latest => return Ok((*ledger.tip().header).clone()),
        BlockAt::Height(height) => ledger.header(height),
        BlockAt::Hash(hash) => ledger.header_by_hash(&hash),
    };
    found.map_err(errors::ledger)?.ok_or_else(|| {
        let which = match at {
            BlockAt::Hash(hash) => hash.to_string(),
            BlockAt::Height(height) => height.to_string(),
            BlockAt::Latest => "latest".into(),
        };
        errors::not_found(format!("block {which}; the newest is {}", ledger.height()))
    })
}

/// [`hanse_client::methods::GetBlock`].
fn get(node: &Node, params: &BlockParams) -> Result<BlockView, RpcError> {
    let header = header(node, params.at)?;
    let wants = |part| params.include.contains(&part);
    let mut view = BlockView {
        header: render::header(&header),
        transactions: None,
        receipts: None,
        dag: None,
        rw_sets: None,
        next: None,
    };
    if params.include.is_empty() {
        return Ok(view);
    }
    let page = Page::of(params, &header, node.server.capacity.block_transactions);
    let mut abis = Abis::new(node);
    if wants(BlockPart::Transactions) {
        view.transactions = Some(page.transactions(node, &mut abis)?);
    }
    if wants(BlockPart::Receipts) {
        let receipts = node.group.ledger().receipts(page.height).map_err(errors::ledger)?.unwrap_or_default();
        view.receipts = Some(page.cut(&receipts).iter().map(|receipt| render::receipt(&mut abis, receipt)).collect());
    }
    if wants(BlockPart::Dag) {
        view.dag = Some(page.dag(node)?);
    }
    if wants(BlockPart::RwSets) {
        let sets = node.group.ledger().rw_sets(page.height).map_err(errors::ledger)?.unwrap_or_default();
        view.rw_sets = Some(page.cut(&sets).iter().map(|set| render::access(&mut abis, set)).collect());
    }
    view.next = (page.end < header.tx_count as usize).then_some(TxIndex(page.end as u32));
    Ok(view)
}

/// The transactions of a block that one answer shows.
struct Page {
    height: Height,
    start: usize,
    end: usize,
}

impl Page {
    fn of(params: &BlockParams, header: &Header, most: usize) -> Page {
        let count = header.tx_count as usize;
        let limit = params.limit.unwrap_or(most).clamp(1, most);
        let start = params.from.as_usize().min(count);
        Page { height: header.height, start, end: start.saturating_add(limit).min(count) }
    }

    fn cut<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        all.get(self.start..self.end).unwrap_or_default()
    }

    fn transactions(&self, node: &Node, abis: &mut Abis<'_>) -> Result<Vec<TransactionView>, RpcError> {
        let (first, count) = (TxIndex(self.start as u32), self.end - self.start);
        let page = node.group.ledger().transactions(self.height, first, count).map_err(errors::ledger)?;
        let page = page.ok_or_else(|| errors::not_found(format!("block {}", self.height)))?;
        Ok(page.transactions.iter().zip(page.ids).map(|(signed, id)| render::transaction(abis, signed, id)).collect())
    }

    fn dag(&self, node: &Node) -> Result<Vec<Vec<TxIndex>>, RpcError> {
        let dag = node.group.ledger().dag(self.height).map_err(errors::ledger)?;
        let dag = dag.ok_or_else(|| errors::not_found(format!("block {}", self.height)))?;
        let row = |vertex| dag.predecessors(vertex).iter().map(|index| TxIndex(*index)).collect();
        Ok((self.start..self.end.min(dag.len())).map(row).collect())
    }
}

/// [`hanse_client::methods::ListBlocks`].
fn list(node: &Node, params: &ListBlocksParams) -> Result<BlockList, RpcError> {
    let ledger = node.group.ledger();
    let above = ledger.height().next();
    let below = params.below.map_or(above, |below| below.min(above));
    let first = below.0.saturating_sub(node.server.capacity.page(params.limit) as u64);
    let mut blocks = Vec::new();
    for height in (first..below.0).rev().map(Height) {
        let header = match ledger.header(height) {
            // What is before is not on this node.
            Err(LedgerError::BeforeFirst { .. }) if !blocks.is_empty() => return Ok(BlockList { blocks, next: None }),
            header => header.map_err(errors::ledger)?,
        };
        let Some(header) = header else { continue };
        blocks.push(BlockSummary {
            height,
            hash: header.hash(),
            timestamp: header.timestamp,
            tx_count: header.tx_count,
            gas_used: header.gas_used,
        });
    }
    Ok(BlockList { blocks, next: (first > 0).then_some(Height(first)) })
}

/// [`hanse_client::methods::WaitBlock`].
async fn wait(node: &Node, params: WaitBlockParams) -> Result<WaitedBlock, RpcError> {
    let mut tip = node.group.tip();
    let beyond = tip.wait_for(|header| header.height > params.after);
    let nothing = WaitedBlock { header: None, tx_ids: Vec::new(), failed: 0 };
    match tokio::time::timeout(node.server.capacity.wait(params.timeout_ms), beyond).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) | Err(_) => return Ok(nothing),
    }
    tokio::task::block_in_place(|| {
        let height = params.after.next();
        let ledger = node.group.ledger();
        let Some(header) = ledger.header(height).map_err(errors::ledger)? else { return Ok(nothing) };
        let receipts = ledger.receipts(height).map_err(errors::ledger)?.unwrap_or_default();
        let failed = receipts.iter().filter(|receipt| !receipt.status.is_success()).count() as u32;
        let tx_ids: Vec<Hash> = receipts.iter().map(|receipt| receipt.tx_id.0).collect();
        Ok(WaitedBlock { header: Some(render::header(&header)), tx_ids, failed })
    })
}

/// [`hanse_client::methods::GetCertificate`].
fn certificate(node: &Node, params: &CertificateParams) -> Result<CertifiedHeader, RpcError> {
    let header = header(node, params.at)?;
    let certificate = node.group.ledger().certificate(header.height).map_err(errors::ledger)?;
    let certificate = certificate.ok_or_else(|| errors::not_found(format!("block {}", header.height)))?;
    Ok(render::certified(&header, &certificate))
}
