// Starts `biwa lsp` and hands VS Code's questions to it. All that is known of .sqlx is known there.
const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

/** @type {LanguageClient | undefined} */
let client;

function makeClient() {
    const command = vscode.workspace.getConfiguration("biwa").get("path", "biwa");
    const run = { command, args: ["lsp"] };
    return new LanguageClient(
        "biwa",
        "Biwa",
        { run, debug: run },
        {
            // The project's other files have problems too, and models may be JavaScript.
            documentSelector: [
                { scheme: "file", language: "sqlx" },
                { scheme: "file", pattern: "**/{definitions,includes}/**/*.js" },
                {
                    scheme: "file",
                    pattern: "**/{biwa,workflow_settings,actions,{connections,streams,dashboards}/*}.yaml",
                },
            ],
            synchronize: {
                fileEvents: vscode.workspace.createFileSystemWatcher("**/*.{sqlx,js,yaml}"),
            },
        },
    );
}

async function start() {
    client = makeClient();
    try {
        await client.start();
    } catch (error) {
        vscode.window.showErrorMessage(
            `Biwa: the language server does not start: ${error}. Where the program is says the setting biwa.path.`,
        );
    }
}

async function stop() {
    const running = client;
    client = undefined;
    if (running?.isRunning()) await running.stop();
}

async function activate(context) {
    context.subscriptions.push(
        vscode.commands.registerCommand("biwa.restart", async () => {
            await stop();
            await start();
        }),
    );
    await start();
}

module.exports = { activate, deactivate: stop };
