//! Which modules are contracts. Static rules alone decide, at deployment, the same on every node.
//!
//! A module is WebAssembly 1.0 with mutable globals and sign extension: what rustc makes for `wasm32v1-none`. No
//! operation's cost depends on an operand (no bulk memory), no result on the host (no threads, no SIMD). Its memory is
//! its own, one, exported as `memory`. It imports nothing but the host interface and has no start function.

use std::collections::BTreeMap;

use hanse_abi::host::{self, HostFunction, Type};
use hanse_types::names::NameKind;
use hanse_types::{Params, limits};
use thiserror::Error;
use wasmparser::{
    BinaryReaderError, ConstExpr, DataKind, ElementItems, ElementKind, Encoding, ExternalKind, FuncType, Operator,
    Parser, Payload, TypeRef, ValType, Validator, WasmFeatures,
};

use super::abi::{self, Kind};
use super::instrument::RESERVED_PREFIX;

/// Bytes of a page of WebAssembly memory.
pub(crate) const PAGE_BYTES: u64 = 64 << 10;
/// Most pages that any chain's parameters may allow.
pub(crate) const MEMORY_PAGES_MAX: u32 = limits::MEMORY_PAGES;
/// Most elements of a module's table.
pub(crate) const TABLE_ELEMENTS_MAX: u64 = 4_096;
const FUNCTIONS_MAX: u32 = 8_192;
const GLOBALS_MAX: u32 = 256;
const EXPORTS_MAX: u32 = 512;
const TYPES_MAX: u32 = 1_024;
const SEGMENTS_MAX: u32 = 1_024;
const PARAMETERS_MAX: usize = 64;
const LOCALS_MAX: u32 = 1_024;
const FUNCTION_BYTES_MAX: usize = 256 << 10;
const BRANCH_TARGETS_MAX: u32 = 4_096;
const NESTING_MAX: usize = 256;
/// Loops inside one another. The compiler's time grows with their third power, where each changes many locals.
const LOOP_NESTING_MAX: usize = 32;
/// Calls and loops of one function, together: each is a place where the fuel is looked at, and the compiler's time grows
/// with their square.
const CHECKS_MAX: u32 = 1_024;

/// What a chain allows its contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Most pages of memory at the start.
    pub memory_pages: u32,
    /// Whether floating point is allowed.
    pub floats: bool,
}

impl Rules {
    /// The rules of a chain with these parameters.
    pub fn of(params: &Params) -> Rules {
        Rules { memory_pages: params.memory_pages_max.min(MEMORY_PAGES_MAX), floats: params.floats_allowed }
    }

    /// The widest rules: what any chain may ever have accepted.
    pub const WIDEST: Rules = Rules { memory_pages: MEMORY_PAGES_MAX, floats: true };
}

/// Why a module is no contract.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidModule {
    /// It is too long.
    #[error("the module has {found} bytes, the limit is {limit}")]
    TooLong {
        /// Its length.
        found: usize,
        /// The most allowed.
        limit: usize,
    },
    /// It is not WebAssembly of the features that contracts may use.
    #[error("not valid WebAssembly 1.0 at byte {offset}")]
    Malformed {
        /// Where.
        offset: usize,
    },
    /// It uses floating point.
    #[error("the module uses floating point, which this chain does not allow, at byte {offset}")]
    Floats {
        /// Where.
        offset: usize,
    },
    /// It imports something else than the host interface.
    #[error("the module imports {module}.{name}, which is not part of the host interface {}", host::NAMESPACE)]
    Import {
        /// Its namespace.
        module: String,
        /// Its name.
        name: String,
    },
    /// It imports a host function by a wrong type.
    #[error("the module imports {}.{name} with another type than it has", host::NAMESPACE)]
    ImportType {
        /// Its name.
        name: String,
    },
    /// Something that a contract must have is missing or wrong.
    #[error("the module {0}")]
    Shape(&'static str),
    /// A count or size is above its limit.
    #[error("the module has {found} {what}, the limit is {limit}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many.
        found: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// The ABI section does not say what it should.
    #[error("the module's ABI section {0}")]
    Abi(&'static str),
    /// The compiler refused what these rules accept: a bug of this node.
    #[error("the module does not compile; please report this with the module")]
    Compile,
}

/// What a valid module offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surface {
    /// The exported methods, by name without prefix, and how each may be entered.
    pub(crate) methods: BTreeMap<String, Kind>,
}

/// Checks a module.
pub(crate) fn validate(code: &[u8], rules: &Rules) -> Result<Surface, InvalidModule> {
    if code.len() > limits::CODE_BYTES {
        return Err(InvalidModule::TooLong { found: code.len(), limit: limits::CODE_BYTES });
    }
    let features = WasmFeatures::MUTABLE_GLOBAL | WasmFeatures::SIGN_EXTENSION | WasmFeatures::GC_TYPES;
    check_features(code, features | WasmFeatures::FLOATS)?;
    if !rules.floats
        && let Err(InvalidModule::Malformed { offset }) = check_features(code, features)
    {
        return Err(InvalidModule::Floats { offset });
    }
    let mut check = Check {
        rules,
        types: Vec::new(),
        memory: None,
        memory_exported: false,
        table: None,
        methods: Vec::new(),
        abi: Vec::new(),
        functions: Vec::new(),
    };
    for payload in Parser::new(0).parse_all(code) {
        check.payload(payload.map_err(malformed)?)?;
    }
    check.finish()
}

/// The ABI document (JSON) inside a module, none if it has none.
pub fn abi_of(code: &[u8]) -> Option<Vec<u8>> {
    let mut abi = Vec::new();
    for payload in Parser::new(0).parse_all(code) {
        if let Ok(Payload::CustomSection(section)) = payload
            && section.name() == host::ABI_SECTION
        {
            abi.extend_from_slice(section.data());
        }
    }
    (!abi.is_empty()).then_some(abi)
}

fn check_features(code: &[u8], features: WasmFeatures) -> Result<(), InvalidModule> {
    Validator::new_with_features(features).validate_all(code).map(drop).map_err(malformed)
}

fn malformed(error: BinaryReaderError) -> InvalidModule {
    InvalidModule::Malformed { offset: error.offset() }
}

fn limit(what: &'static str, found: impl Into<u64>, limit: impl Into<u64>) -> Result<(), InvalidModule> {
    let (found, limit) = (found.into(), limit.into());
    if found > limit { Err(InvalidModule::Limit { what, found, limit }) } else { Ok(()) }
}

struct Check<'a> {
    rules: &'a Rules,
    types: Vec<FuncType>,
    /// Type of every function, imports first.
    functions: Vec<u32>,
    /// Pages at the start.
    memory: Option<u64>,
    memory_exported: bool,
    /// Elements at the start.
    table: Option<u64>,
    /// Names of the exported methods, without their prefix.
    methods: Vec<String>,
    /// What the sections with the ABI hold.
    abi: Vec<u8>,
}

impl Check<'_> {
    fn payload(&mut self, payload: Payload<'_>) -> Result<(), InvalidModule> {
        match payload {
            Payload::Version { encoding: Encoding::Component, .. } => {
                return Err(InvalidModule::Shape("is a component, not a module"));
            }
            Payload::StartSection { .. } => return Err(InvalidModule::Shape("has a start function")),
            Payload::TypeSection(types) => {
                limit("types", types.count(), TYPES_MAX)?;
                for function in types.into_iter_err_on_gc_types() {
                    let function = function.map_err(malformed)?;
                    limit("parameters of a function", function.params().len() as u64, PARAMETERS_MAX as u64)?;
                    self.types.push(function);
                }
            }
            Payload::ImportSection(imports) => {
                limit("imports", imports.count(), host::FUNCTIONS.len() as u64)?;
                for import in imports.into_imports() {
                    let import = import.map_err(malformed)?;
                    self.import(import.module, import.name, import.ty)?;
                }
            }
            Payload::FunctionSection(functions) => {
                limit("functions", functions.count(), FUNCTIONS_MAX)?;
                for function in functions {
                    self.functions.push(function.map_err(malformed)?);
                }
            }
            Payload::TableSection(tables) => {
                limit("tables", tables.count(), 1u64)?;
                for table in tables {
                    let table = table.map_err(malformed)?.ty;
                    limit("table elements", table.initial, TABLE_ELEMENTS_MAX)?;
                    self.table = Some(table.initial);
                }
            }
            Payload::MemorySection(memories) => {
                limit("memories", memories.count(), 1u64)?;
                for memory in memories {
                    let memory = memory.map_err(malformed)?;
                    limit("pages of memory", memory.initial, self.rules.memory_pages)?;
                    self.memory = Some(memory.initial);
                }
            }
            Payload::GlobalSection(globals) => limit("globals", globals.count(), GLOBALS_MAX)?,
            Payload::ExportSection(exports) => {
                limit("exports", exports.count(), EXPORTS_MAX)?;
                for export in exports {
                    let export = export.map_err(malformed)?;
                    self.export(export.name, export.kind, export.index)?;
                }
            }
            Payload::ElementSection(elements) => {
                limit("element segments", elements.count(), SEGMENTS_MAX)?;
                for element in elements {
                    let element = element.map_err(malformed)?;
                    self.elements(&element.kind, &element.items)?;
                }
            }
            Payload::DataSection(segments) => {
                limit("data segments", segments.count(), SEGMENTS_MAX)?;
                for segment in segments {
                    let segment = segment.map_err(malformed)?;
                    self.data(&segment.kind, segment.data.len())?;
                }
            }
            Payload::CodeSectionEntry(body) => check_body(&body)?,
            Payload::CustomSection(section) if section.name() == host::ABI_SECTION => {
                self.abi.extend_from_slice(section.data());
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, module: &str, name: &str, ty: TypeRef) -> Result<(), InvalidModule> {
        let unknown = || InvalidModule::Import { module: module.to_owned(), name: name.to_owned() };
        if module != host::NAMESPACE {
            return Err(unknown());
        }
        let function = host::FUNCTIONS.iter().find(|function| function.name == name).ok_or_else(unknown)?;
        let TypeRef::Func(index) = ty else { return Err(InvalidModule::ImportType { name: name.to_owned() }) };
        self.functions.push(index);
        if self.types.get(index as usize).is_some_and(|ty| has_type(ty, function)) {
            return Ok(());
        }
        Err(InvalidModule::ImportType { name: name.to_owned() })
    }

    fn export(&mut self, name: &str, kind: ExternalKind, index: u32) -> Result<(), InvalidModule> {
        if kind == ExternalKind::Memory && name == "memory" {
            self.memory_exported = true;
        }
        if name.starts_with(RESERVED_PREFIX) {
            return Err(InvalidModule::Shape("exports a name that is reserved (hanse:…)"));
        }
        let Some(method) = name.strip_prefix(host::METHOD_PREFIX) else { return Ok(()) };
        if NameKind::Method.check(method).is_err() {
            return Err(InvalidModule::Shape("exports a method by a name that no transaction can carry"));
        }
        let ty = self.functions.get(index as usize).and_then(|ty| self.types.get(*ty as usize));
        let fits = ty.is_some_and(|ty| ty.params().is_empty() && ty.results().is_empty());
        if kind != ExternalKind::Func || !fits {
            return Err(InvalidModule::Shape("exports a method that is not a function without parameters and results"));
        }
        self.methods.push(method.to_owned());
        Ok(())
    }

    /// A data segment must lie in the initial memory, so that instantiating a module never fails.
    fn data(&self, kind: &DataKind<'_>, length: usize) -> Result<(), InvalidModule> {
        let DataKind::Active { offset_expr, .. } = kind else {
            return Err(InvalidModule::Shape("has a data segment that is not active"));
        };
        let start = constant(offset_expr)?;
        let end = u64::from(start) + length as u64;
        limit("bytes of initialised memory", end, self.memory.unwrap_or(0) * PAGE_BYTES)
    }

    /// As for data: elements must lie in the initial table.
    fn elements(&self, kind: &ElementKind<'_>, items: &ElementItems<'_>) -> Result<(), InvalidModule> {
        let ElementKind::Active { offset_expr, .. } = kind else {
            return Err(InvalidModule::Shape("has an element segment that is not active"));
        };
        let count = match items {
            ElementItems::Functions(functions) => functions.count(),
            ElementItems::Expressions(_, expressions) => expressions.count(),
        };
        let end = u64::from(constant(offset_expr)?) + u64::from(count);
        limit("initialised table elements", end, self.table.unwrap_or(0))
    }

    fn finish(self) -> Result<Surface, InvalidModule> {
        if self.memory.is_none() || !self.memory_exported {
            return Err(InvalidModule::Shape("does not export a memory of its own as \"memory\""));
        }
        if self.methods.is_empty() {
            return Err(InvalidModule::Shape("exports no method (a function named hanse.…)"));
        }
        Ok(Surface { methods: abi::kinds(self.methods, &self.abi)? })
    }
}

/// The value of a constant offset.
fn constant(expression: &ConstExpr<'_>) -> Result<u32, InvalidModule> {
    match expression.get_operators_reader().read().map_err(malformed)? {
        Operator::I32Const { value } => Ok(value as u32),
        _ => Err(InvalidModule::Shape("has a segment at an offset that is not constant")),
    }
}

fn has_type(ty: &FuncType, function: &HostFunction) -> bool {
    let of = |ty: &Type| match ty {
        Type::I32 => ValType::I32,
        Type::I64 => ValType::I64,
    };
    ty.params().iter().copied().eq(function.params.iter().map(of))
        && ty.results().iter().copied().eq(function.result.iter().map(of))
}

/// Bounds on what makes the compiler slow.
fn check_body(body: &wasmparser::FunctionBody<'_>) -> Result<(), InvalidModule> {
    limit("bytes in one function", body.range().len() as u64, FUNCTION_BYTES_MAX as u64)?;
    let mut locals = 0u32;
    for local in body.get_locals_reader().map_err(malformed)? {
        locals = locals.saturating_add(local.map_err(malformed)?.0);
    }
    limit("locals in one function", locals, LOCALS_MAX)?;
    // Whether each open block is a loop.
    let mut open = Vec::new();
    let (mut loops, mut checks) = (0u64, 0u64);
    for operator in body.get_operators_reader().map_err(malformed)? {
        let operator = operator.map_err(malformed)?;
        let is_loop = matches!(operator, Operator::Loop { .. });
        match &operator {
            Operator::BrTable { targets } => limit("targets of one branch", targets.len(), BRANCH_TARGETS_MAX)?,
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                open.push(is_loop);
                loops += u64::from(is_loop);
                limit("blocks inside one another", open.len() as u64, NESTING_MAX as u64)?;
                limit("loops inside one another", loops, LOOP_NESTING_MAX as u64)?;
            }
            Operator::End => loops -= u64::from(open.pop() == Some(true)),
            _ => {}
        }
        checks += u64::from(is_loop || matches!(operator, Operator::Call { .. } | Operator::CallIndirect { .. }));
        limit("calls and loops in one function", checks, CHECKS_MAX)?;
    }
    Ok(())
}
