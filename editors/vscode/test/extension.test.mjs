// What can be tested of the extension without VS Code: its files fit together, the grammar tells the
// languages apart, and the protocol library that VS Code uses understands the server.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);
const folder = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const read = (file) => fs.readFileSync(path.join(folder, file), "utf8");
const manifest = JSON.parse(read("package.json"));

test("all files that the manifest names are there, and are JSON where they should be", () => {
    const { languages, grammars } = manifest.contributes;
    for (const file of [languages[0].configuration, grammars[0].path]) JSON.parse(read(file));
    assert.ok(fs.existsSync(path.join(folder, manifest.main)));
    assert.equal(JSON.parse(read(grammars[0].path)).scopeName, grammars[0].scopeName);
    assert.ok(manifest.activationEvents.includes(`onLanguage:${languages[0].id}`));
});

test("the lock file pins what the manifest wants", () => {
    const lock = JSON.parse(read("package-lock.json"));
    assert.deepEqual(lock.packages[""].dependencies, manifest.dependencies);
    for (const [name, entry] of Object.entries(lock.packages)) {
        if (name !== "") assert.match(entry.integrity, /^sha512-/, name);
    }
});

test("commands and settings that the code uses are those of the manifest", () => {
    const code = read("extension.js");
    for (const { command } of manifest.contributes.commands) assert.ok(code.includes(`"${command}"`));
    for (const name of Object.keys(manifest.contributes.configuration.properties)) {
        const [section, key] = name.split(".");
        assert.ok(code.includes(`getConfiguration("${section}").get("${key}"`), name);
    }
});

async function loadGrammar() {
    const { loadWASM, OnigScanner, OnigString } = require("vscode-oniguruma");
    const { INITIAL, Registry, parseRawGrammar } = require("vscode-textmate");
    const wasm = fs.readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm"));
    await loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
    const registry = new Registry({
        onigLib: Promise.resolve({
            createOnigScanner: (sources) => new OnigScanner(sources),
            createOnigString: (text) => new OnigString(text),
        }),
        // VS Code has grammars of its own for these; here their scope is enough.
        loadGrammar: async (scope) =>
            scope === "source.sqlx"
                ? parseRawGrammar(read("syntaxes/sqlx.tmLanguage.json"), "sqlx.json")
                : parseRawGrammar(
                      JSON.stringify({ scopeName: scope, patterns: [{ match: "\\w+", name: `word.${scope}` }] }),
                      "other.json",
                  ),
    });
    const grammar = await registry.loadGrammar("source.sqlx");
    return (text) => {
        let state = INITIAL;
        const words = {};
        for (const line of text.split("\n")) {
            const { tokens, ruleStack } = grammar.tokenizeLine(line, state);
            state = ruleStack;
            for (const token of tokens) {
                const word = line.slice(token.startIndex, token.endIndex).trim();
                if (word !== "") words[word] = token.scopes.join(" ");
            }
        }
        return words;
    };
}

test("the grammar takes config, js and placeholders for JavaScript and the rest for SQL", async () => {
    const tokenize = await loadGrammar();
    const words = tokenize(
        `config {
  type: table, columns: { 学年: inner }
}
js { declared }
pre_operations { SET before = {'a': 1} }
-- remark
SELECT after, 'quoted \${inString}', "named" FROM \${ref(target)} WHERE last
---
input "t" { tested }
end`,
    );
    for (const word of ["table", "inner", "declared", "ref", "target", "inString"]) {
        assert.match(words[word], /meta\.embedded\.js\.sqlx.* word\.source\.js/, word);
    }
    for (const word of ["before", "after", "WHERE", "last", "tested", "end"]) {
        assert.doesNotMatch(words[word], /embedded/, word);
        assert.match(words[word], /word\.source\.sql/, word);
    }
    assert.match(words["-- remark"], /comment\.line/);
    assert.match(words["---"], /separator/);
    assert.match(words.quoted, /string\.quoted\.single/);
    assert.match(words.type, /object-literal\.key/);
});

const program = path.join(process.env.BIWA_BUILD ?? path.join(folder, "../../build/release"), "biwa");

test(
    "the protocol library of VS Code starts the server, asks it and ends it",
    { skip: fs.existsSync(program) ? false : `there is no ${program}` },
    async () => {
        const rpc = require("vscode-languageserver-protocol/node");
        const root = fs.mkdtempSync(path.join(os.tmpdir(), "biwa_vscode_"));
        const server = spawn(program, ["lsp"], { stdio: ["pipe", "pipe", "inherit"] });
        const ended = new Promise((resolve) => server.on("exit", resolve));
        try {
            fs.writeFileSync(path.join(root, "biwa.yaml"), "name: juku\n");
            const connection = rpc.createProtocolConnection(
                new rpc.StreamMessageReader(server.stdout),
                new rpc.StreamMessageWriter(server.stdin),
            );
            connection.listen();
            const told = new Promise((resolve) =>
                connection.onNotification(rpc.PublishDiagnosticsNotification.type, resolve),
            );
            const { capabilities } = await connection.sendRequest(rpc.InitializeRequest.type, {
                processId: process.pid,
                rootUri: pathToFileURL(root).href,
                capabilities: {},
            });
            assert.equal(capabilities.positionEncoding, "utf-16");
            await connection.sendNotification(rpc.InitializedNotification.type, {});
            const uri = pathToFileURL(path.join(root, "definitions/生徒 a.sqlx")).href;
            await connection.sendNotification(rpc.DidOpenTextDocumentNotification.type, {
                textDocument: { uri, languageId: "sqlx", version: 1, text: "config { type: 'vieww' }\nSELECT 1" },
            });
            const { diagnostics } = await told;
            assert.match(diagnostics[0].message, /Did you mean "view"\?/);
            assert.deepEqual(diagnostics[0].range.start, { line: 0, character: 15 });
            await connection.sendRequest(rpc.ShutdownRequest.type);
            await connection.sendNotification(rpc.ExitNotification.type);
            assert.equal(await ended, 0);
        } finally {
            server.kill();
            fs.rmSync(root, { recursive: true });
        }
    },
);
