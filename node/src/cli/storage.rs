//! `hanse contract storage`: what a contract keeps, by field and element.

use clap::Args;
use hanse_client::Bytes;
use hanse_client::methods::{GetStorage, StoragePage, StorageParams};
use hanse_client::views::EntryView;
use hanse_types::Height;

use super::Common;
use super::arguments::{self, Parameter};
use super::contract::fetch_abi;
use super::exit::{Exit, Failure};
use super::output::{fields, table};
use super::session::Session;

#[derive(Debug, Args)]
pub(crate) struct StorageArgs {
    /// Name or address
    contract: String,
    /// Only this field
    field: Option<String>,
    /// Only this element of it: an account by name or address, a number, a text; JSON if the key has several parts
    key: Option<String>,
    /// After which block; the newest if not given
    #[arg(long)]
    height: Option<u64>,
    /// Most entries to show
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: usize,
    /// Where to go on: the `next` of what was shown before
    #[arg(long, value_name = "BYTES", conflicts_with = "key")]
    start: Option<Bytes>,
}

/// Shows a contract's storage.
pub(crate) async fn run(args: StorageArgs, common: &Common) -> Result<(), Failure> {
    let session = Session::open(common).await?;
    let element = match (&args.field, &args.key) {
        (Some(field), Some(key)) => Some(element(&session, &args.contract, field, key).await?),
        _ => None,
    };
    let params = StorageParams {
        contract: Session::contract(&args.contract)?,
        field: args.field.clone(),
        element,
        from: args.start,
        limit: Some(args.limit),
        height: args.height.map(Height),
    };
    let page = session.client.call::<GetStorage>(params).await?;
    if let (Some(field), Some(key)) = (&args.field, &args.key)
        && page.entries.is_empty()
    {
        let message = format!("{} holds nothing at {field}[{key}] after block {}", args.contract, page.height);
        return Err(Failure::new(Exit::NotFound, message));
    }
    session.output.result(&page, |page| if args.field.is_none() { all_text(page) } else { entries_text(page) })?;
    if let Some(next) = &page.next {
        session.output.note(format!("there is more: --start {next}"));
    }
    Ok(())
}

/// An element as JSON, by the type that the contract's ABI says.
async fn element(session: &Session, contract: &str, field: &str, key: &str) -> Result<serde_json::Value, Failure> {
    let abi = fetch_abi(&session.client, contract).await?;
    let ty = abi.element_type(field).map_err(|error| Failure::usage(error.to_string()))?;
    let ty = ty.ok_or_else(|| Failure::usage(format!("the field {field:?} holds one value, and has no elements")))?;
    arguments::json(key, &Parameter { name: field, ty: &ty.to_string() }, &|name| session.account(name))
}

/// What the fields are, and what they hold.
fn all_text(page: &StoragePage) -> String {
    let described = fields(page.fields.iter().map(|field| (field.name.as_str(), field.ty.clone())));
    format!("{described}\n{}", entries_text(page))
}

fn entries_text(page: &StoragePage) -> String {
    let row = |entry: &EntryView| {
        let place = entry.key.field.clone().unwrap_or_else(|| entry.key.key.to_string());
        let value = entry.decoded.as_ref().map_or_else(|| entry.value.to_string(), ToString::to_string);
        [place, value]
    };
    table(["key", "value"], page.entries.iter().map(row))
}
