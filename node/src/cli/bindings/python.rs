//! A client in Python: one file that needs nothing but the standard library.

use hanse_abi::document::{Abi, Field, Method, TypeSchema, types::Type};

use super::{callable, comment, names, parsed};

/// What every client has beside the contract's own.
const RUNTIME: &str = include_str!("runtime.py");
/// Words that a name must be written apart from.
const TAKEN: [&str; 45] = [
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del",
    "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal",
    "not", "or", "pass", "raise", "return", "try", "while", "with", "yield", "self", "signer", "caller", "send",
    "build", "submit", "query", "rpc", "contract", "url",
];

pub(super) fn generate(contract: &str, abi: &Abi) -> String {
    let head = format!(
        "# Client of the contract {contract}, made by `hanse contract bindings`: make it anew instead of changing it.\n{RUNTIME}"
    );
    let types: String = abi.types.iter().map(data).collect();
    head + &types + &client(contract, abi)
}

fn data(schema: &TypeSchema) -> String {
    let docs = comment("", "#", &schema.docs);
    let name = &schema.name;
    if let Some(variants) = &schema.variants {
        // Without fields a variant is its name; with fields an object of one entry.
        let known: Vec<String> = variants.iter().map(|variant| format!("{:?}", variant.name)).collect();
        let all = known.join(", ");
        return format!("\n\n{docs}# One of {all}; a dictionary of one entry where it has fields.\n{name} = Any\n");
    }
    let fields = schema.fields.as_deref().unwrap_or_default();
    let lines = fields.iter().map(|field| {
        format!("{}    {}: {}\n", comment("    ", "#", &field.docs), word(&field.name), hint(&parsed(&field.ty)))
    });
    let reads = fields.iter().map(|field| decode(&parsed(&field.ty), &format!("value[{:?}]", field.name), 0));
    let writes = fields.iter().map(|field| format!("{:?}: plain(self.{})", field.name, word(&field.name)));
    let empty = if fields.is_empty() { "    pass\n" } else { "" };
    format!(
        "\n\n{docs}@dataclass\nclass {name}:\n{}{empty}\n    @staticmethod\n    \
         def of(value: Any) -> \"{name}\":\n        return {name}({})\n\n    \
         def plain(self) -> Any:\n        return {{{}}}\n",
        lines.collect::<String>(),
        reads.collect::<Vec<_>>().join(", "),
        writes.collect::<Vec<_>>().join(", "),
    )
}

fn client(contract: &str, abi: &Abi) -> String {
    let name = names::client(contract, abi);
    let docs = comment("", "#", &abi.docs);
    let methods: String = callable(abi).map(|(method, view)| if view { query(method) } else { call(method) }).collect();
    let errors = abi.errors.iter().map(|error| format!("        {}: {:?},\n", error.code, error.name));
    format!(
        "\n\n{docs}class {name}(Contract):\n    # Names of the contract's own errors by their codes.\n    \
         ERRORS = {{\n{}    }}\n\n    \
         def __init__(self, url: str = \"http://127.0.0.1:7420\", contract: str = {contract:?}) -> None:\n        \
         super().__init__(url, contract)\n{methods}",
        errors.collect::<String>(),
    )
}

fn call(method: &Method) -> String {
    let (declared, given) = arguments(method);
    format!(
        "\n{}    def {}(self, signer: Signer{declared}) -> Any:\n        \
         return self.send(signer, {:?}, {{{given}}})\n",
        comment("    ", "#", &method.docs),
        word(&method.name),
        method.name,
    )
}

fn query(method: &Method) -> String {
    let (declared, given) = arguments(method);
    let returns = parsed(&method.returns);
    format!(
        "\n{}    def {}(self{declared}, *, caller: Optional[str] = None) -> {}:\n        \
         value = self.query({:?}, {{{given}}}, caller)\n        return {}\n",
        comment("    ", "#", &method.docs),
        word(&method.name),
        hint(&returns),
        method.name,
        decode(&returns, "value", 0),
    )
}

/// Arguments as they are declared, and by name.
fn arguments(method: &Method) -> (String, String) {
    let declared = method.args.iter().map(|arg| format!(", {}: {}", word(&arg.name), hint(&parsed(&arg.ty))));
    let given = method.args.iter().map(|arg: &Field| format!("{:?}: plain({})", arg.name, word(&arg.name)));
    (declared.collect(), given.collect::<Vec<_>>().join(", "))
}

fn word(name: &str) -> String {
    names::apart(name.to_owned(), &TAKEN)
}

/// A type as Python writes it. Quoted, as a class may come further down.
fn hint(ty: &Type) -> String {
    format!("\"{}\"", bare_hint(ty))
}

fn bare_hint(ty: &Type) -> String {
    match ty {
        Type::Integer { .. } => "int".into(),
        Type::Bool => "bool".into(),
        Type::String | Type::Address => "str".into(),
        Type::Tuple(types) if types.is_empty() => "None".into(),
        Type::Tuple(types) => {
            format!("Tuple[{}]", types.iter().map(bare_hint).collect::<Vec<_>>().join(", "))
        }
        ty if is_bytes(ty) => "bytes".into(),
        Type::Array(inner, _) | Type::Vec(inner) => format!("List[{}]", bare_hint(inner)),
        Type::Option(inner) => format!("Optional[{}]", bare_hint(inner)),
        Type::Named(name, _) => name.clone(),
    }
}

/// An expression that makes a value of its type of the JSON that another expression gives.
fn decode(ty: &Type, value: &str, depth: usize) -> String {
    match ty {
        Type::Integer { .. } => format!("int({value})"),
        Type::Bool | Type::String | Type::Address => value.to_owned(),
        Type::Tuple(types) if types.is_empty() => "None".into(),
        Type::Tuple(types) => {
            let parts = types.iter().enumerate().map(|(at, ty)| decode(ty, &format!("{value}[{at}]"), depth));
            format!("({},)", parts.collect::<Vec<_>>().join(", "))
        }
        ty if is_bytes(ty) => format!("bytes.fromhex({value}[2:])"),
        Type::Array(inner, _) | Type::Vec(inner) => {
            let each = format!("v{depth}");
            format!("[{} for {each} in {value}]", decode(inner, &each, depth + 1))
        }
        Type::Option(inner) => format!("(None if {value} is None else {})", decode(inner, value, depth)),
        Type::Named(name, _) => format!("named({name}, {value})"),
    }
}

fn is_bytes(ty: &Type) -> bool {
    let byte = Type::Integer { signed: false, bits: 8 };
    matches!(ty, Type::Array(inner, _) | Type::Vec(inner) if **inner == byte)
}
