//! Blocks.

use hanse_client::RpcError;
use hanse_client::methods::{BlockAt, BlockParams, BlockPart, CertificateParams, WaitBlockParams, WaitedBlock};
use hanse_client::views::{BlockView, CertifiedHeader};
use hanse_types::{Hash, Header, Height};

use super::super::abi::Abis;
use super::super::registry::{Entry, reads, waits};
use super::super::{Node, errors, limits, render};

/// The methods of this namespace.
pub(super) const METHODS: &[Entry] =
    &[reads!(GetBlock, get), reads!(GetCertificate, certificate), waits!(WaitBlock, wait)];

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
    let height = header.height;
    let mut abis = Abis::new(node);
    let wants = |part| params.include.contains(&part);
    let transactions = wants(BlockPart::Transactions).then(|| transactions(node, &mut abis, height)).transpose()?;
    let receipts = match wants(BlockPart::Receipts) {
        false => None,
        true => {
            let found = node.group.ledger().receipts(height).map_err(errors::ledger)?;
            Some(found.unwrap_or_default().iter().map(|receipt| render::receipt(&mut abis, receipt)).collect())
        }
    };
    Ok(BlockView { header: render::header(&header), transactions, receipts })
}

fn transactions(
    node: &Node,
    abis: &mut Abis<'_>,
    height: Height,
) -> Result<Vec<hanse_client::views::TransactionView>, RpcError> {
    let ledger = node.group.ledger();
    let all = ledger.transactions(height, hanse_types::TxIndex(0), usize::MAX).map_err(errors::ledger)?;
    let page = all.ok_or_else(|| errors::not_found(format!("block {height}")))?;
    Ok(page.transactions.iter().zip(page.ids).map(|(signed, id)| render::transaction(abis, signed, id)).collect())
}

/// [`hanse_client::methods::WaitBlock`].
async fn wait(node: &Node, params: WaitBlockParams) -> Result<WaitedBlock, RpcError> {
    let mut tip = node.group.tip();
    let beyond = tip.wait_for(|header| header.height > params.after);
    let nothing = WaitedBlock { header: None, tx_ids: Vec::new(), failed: 0 };
    match tokio::time::timeout(limits::wait(params.timeout_ms), beyond).await {
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
