//! A client in TypeScript: one file that needs nothing but `fetch`.

use hanse_abi::document::{Abi, Field, Method, TypeSchema, types::Type};

use super::{callable, comment, names, parsed};

/// What every client has beside the contract's own.
const RUNTIME: &str = include_str!("runtime.ts");
/// Names of methods that every client has, and words that are no names.
const TAKEN: [&str; 48] = [
    "constructor",
    "rpc",
    "query",
    "build",
    "submit",
    "send",
    "url",
    "contract",
    "signer",
    "caller",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "import",
    "in",
    "instanceof",
    "new",
    "null",
    "return",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

pub(super) fn generate(contract: &str, abi: &Abi) -> String {
    let head = format!(
        "// Client of the contract {contract}, made by `hanse contract bindings`: make it anew instead of changing it.\n{RUNTIME}"
    );
    let types: String = abi.types.iter().map(data).collect();
    head + &types + &client(contract, abi)
}

fn data(schema: &TypeSchema) -> String {
    let docs = comment("", "//", &schema.docs);
    let name = &schema.name;
    let Some(variants) = &schema.variants else {
        let fields = schema.fields.as_deref().unwrap_or_default();
        return format!(
            "\n{docs}export interface {name} {{\n{}}}\n\nexport function read{name}(value: any): {name} {{\n  \
             return {};\n}}\n",
            declared_fields("  ", fields),
            decoded_fields(fields, "value"),
        );
    };
    let shapes = variants.iter().map(|variant| match variant.fields.is_empty() {
        true => format!("\n  | {:?}", variant.name),
        false => format!("\n  | {{ {}: {{ {} }} }}", variant.name, inline_fields(&variant.fields)),
    });
    let reads = variants.iter().filter(|variant| !variant.fields.is_empty()).map(|variant| {
        let fields = decoded_fields(&variant.fields, &format!("value.{}", variant.name));
        format!(
            "  if (typeof value !== \"string\" && {:?} in value) return {{ {}: {fields} }};\n",
            variant.name, variant.name
        )
    });
    format!(
        "\n{docs}export type {name} ={};\n\nexport function read{name}(value: any): {name} {{\n{}  return value;\n}}\n",
        shapes.collect::<String>(),
        reads.collect::<String>(),
    )
}

fn declared_fields(indent: &str, fields: &[Field]) -> String {
    let line = |field: &Field| {
        format!("{}{indent}{}: {};\n", comment(indent, "//", &field.docs), field.name, ts_type(&parsed(&field.ty)))
    };
    fields.iter().map(line).collect()
}

fn inline_fields(fields: &[Field]) -> String {
    let field = |field: &Field| format!("{}: {}", field.name, ts_type(&parsed(&field.ty)));
    fields.iter().map(field).collect::<Vec<_>>().join("; ")
}

fn decoded_fields(fields: &[Field], value: &str) -> String {
    let field = |field: &Field| {
        format!("{}: {}", field.name, decode(&parsed(&field.ty), &format!("{value}.{}", field.name), 0))
    };
    format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
}

fn client(contract: &str, abi: &Abi) -> String {
    let name = names::client(contract, abi);
    let docs = comment("", "//", &abi.docs);
    let methods: String = callable(abi).map(|(method, view)| if view { query(method) } else { call(method) }).collect();
    let errors = abi.errors.iter().map(|error| format!("    {}: {:?},\n", error.code, error.name));
    format!(
        "\n{docs}export class {name} extends Contract {{\n  // Names of the contract's own errors by their codes.\n  \
         static readonly errors: Record<number, string> = {{\n{}  }};\n\n  \
         constructor(url: string = \"http://127.0.0.1:7420\", contract: string = {contract:?}) {{\n    \
         super(url, contract);\n  }}\n{methods}}}\n",
        errors.collect::<String>(),
    )
}

fn call(method: &Method) -> String {
    let (declared, given) = arguments(method);
    format!(
        "\n{}  async {}(signer: Signer{declared}): Promise<any> {{\n    \
         return this.send(signer, {:?}, {{ {given} }});\n  }}\n",
        comment("  ", "//", &method.docs),
        word(&names::camel(&method.name)),
        method.name,
    )
}

fn query(method: &Method) -> String {
    let (declared, given) = arguments(method);
    let declared = declared.trim_start_matches(", ");
    let separator = if declared.is_empty() { "" } else { ", " };
    let returns = parsed(&method.returns);
    format!(
        "\n{}  async {}({declared}{separator}caller?: Address): Promise<{}> {{\n    \
         const value = await this.query({:?}, {{ {given} }}, caller);\n    return {};\n  }}\n",
        comment("  ", "//", &method.docs),
        word(&names::camel(&method.name)),
        ts_type(&returns),
        method.name,
        decode(&returns, "value", 0),
    )
}

/// Arguments as they are declared, and by name.
fn arguments(method: &Method) -> (String, String) {
    let name = |arg: &Field| word(&names::camel(&arg.name));
    let declared = method.args.iter().map(|arg| format!(", {}: {}", name(arg), ts_type(&parsed(&arg.ty))));
    let given = method.args.iter().map(|arg| format!("{}: {}", arg.name, name(arg)));
    (declared.collect(), given.collect::<Vec<_>>().join(", "))
}

fn word(name: &str) -> String {
    names::apart(name.to_owned(), &TAKEN)
}

/// A type as TypeScript writes it.
fn ts_type(ty: &Type) -> String {
    match ty {
        Type::Integer { bits, .. } if *bits <= 32 => "number".into(),
        Type::Integer { .. } => "bigint".into(),
        Type::Bool => "boolean".into(),
        Type::String => "string".into(),
        Type::Address => "Address".into(),
        Type::Tuple(types) if types.is_empty() => "null".into(),
        Type::Tuple(types) => format!("[{}]", types.iter().map(ts_type).collect::<Vec<_>>().join(", ")),
        ty if is_bytes(ty) => "Hex".into(),
        Type::Array(inner, _) | Type::Vec(inner) => format!("Array<{}>", ts_type(inner)),
        Type::Option(inner) => format!("({} | null)", ts_type(inner)),
        Type::Named(name, _) => name.clone(),
    }
}

/// An expression that makes a value of its type of the JSON that another expression gives.
fn decode(ty: &Type, value: &str, depth: usize) -> String {
    match ty {
        Type::Integer { bits, .. } if *bits > 32 => format!("BigInt({value})"),
        Type::Integer { .. } | Type::Bool | Type::String | Type::Address => value.to_owned(),
        Type::Tuple(types) if types.is_empty() => "null".into(),
        Type::Tuple(types) => {
            let parts = types.iter().enumerate().map(|(at, ty)| decode(ty, &format!("{value}[{at}]"), depth));
            format!("[{}]", parts.collect::<Vec<_>>().join(", "))
        }
        ty if is_bytes(ty) => value.to_owned(),
        Type::Array(inner, _) | Type::Vec(inner) => {
            let each = format!("v{depth}");
            format!("{value}.map(({each}: any) => {})", decode_object(&decode(inner, &each, depth + 1)))
        }
        Type::Option(inner) => format!("({value} === null ? null : {})", decode(inner, value, depth)),
        Type::Named(name, _) => format!("read{name}({value})"),
    }
}

/// An arrow's body; an object in braces would be taken for a block.
fn decode_object(expression: &str) -> String {
    if expression.starts_with('{') { format!("({expression})") } else { expression.to_owned() }
}

fn is_bytes(ty: &Type) -> bool {
    let byte = Type::Integer { signed: false, bits: 8 };
    matches!(ty, Type::Array(inner, _) | Type::Vec(inner) if **inner == byte)
}
