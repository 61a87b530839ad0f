// 0x and hexadecimal digits.
export type Hex = string;
// 0x and 40 digits.
export type Address = string;

// The node refused, or a view failed. `code` and `errorName` are those of `hanse help errors`; `detail` has a contract's own error.
export class RpcError extends Error {
  readonly code: number;
  readonly errorName: string;
  readonly hint: string;
  readonly detail: any;
  readonly tx: Hex | null;

  constructor(error: any) {
    super(error.message);
    this.code = error.code;
    this.errorName = error.data?.name ?? "";
    this.hint = error.data?.hint ?? "";
    this.detail = error.data?.detail ?? null;
    this.tx = error.data?.tx ?? null;
  }
}

// A call ran, is in the chain, and failed: it changed nothing. `receipt` says how.
export class CallFailed extends Error {
  readonly receipt: any;
  readonly error: string | null;

  constructor(receipt: any) {
    super(receipt.failure.text);
    this.receipt = receipt;
    this.error = receipt.failure.error ?? null;
  }
}

// Whoever signs: a key in memory, or a device.
export interface Signer {
  address: Address;
  algorithm: "ed25519" | "secp256k1";
  // 32 or 33 bytes.
  publicKey: Uint8Array;
  // Signs bytes: 64 bytes.
  sign(message: Uint8Array): Promise<Uint8Array> | Uint8Array;
}

function toHex(bytes: Uint8Array): Hex {
  return "0x" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(text: Hex): Uint8Array {
  return Uint8Array.from(text.slice(2).match(/../g) ?? [], (digits) => parseInt(digits, 16));
}

// Integers beyond what JSON's numbers hold are decimal texts.
function plain(_name: string, value: any): any {
  return typeof value === "bigint" ? value.toString() : value;
}

// What every contract's client does.
export class Contract {
  readonly url: string;
  readonly contract: string;

  constructor(url: string, contract: string) {
    this.url = url;
    this.contract = contract;
  }

  // Calls a method of the node.
  async rpc(method: string, params: any): Promise<any> {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }, plain);
    const response = await fetch(this.url, { method: "POST", headers: { "content-type": "application/json" }, body });
    const answer: any = await response.json();
    if (answer.error) throw new RpcError(answer.error);
    return answer.result;
  }

  // What a view answers, as JSON.
  async query(method: string, args: any, caller?: Address): Promise<any> {
    return (await this.rpc("contract_query", { contract: this.contract, method, args, caller })).result;
  }

  // The unsigned transaction of a call: its bytes, the bytes to sign, its id.
  async build(sender: Address, method: string, args: any): Promise<any> {
    return this.rpc("contract_call", { sender, contract: this.contract, method, args });
  }

  // Sends what was built and signed, and waits for its receipt.
  async submit(built: any, algorithm: string, publicKey: Uint8Array, signature: Uint8Array): Promise<any> {
    const key = algorithm === "ed25519" ? "00" : "01";
    const transaction = built.unsigned + key + toHex(publicKey).slice(2) + toHex(signature).slice(2);
    const { receipt } = await this.rpc("tx_submit", { transaction });
    if (receipt.failure) throw new CallFailed(receipt);
    return receipt;
  }

  // Builds, signs and sends a call. The receipt of one that succeeded.
  async send(signer: Signer, method: string, args: any): Promise<any> {
    const built = await this.build(signer.address, method, args);
    const signature = await signer.sign(fromHex(built.sign_bytes));
    return this.submit(built, signer.algorithm, signer.publicKey, signature);
  }
}
