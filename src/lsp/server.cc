#include "lsp/server.h"

#include <algorithm>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "base/bounded_queue.h"
#include "base/log.h"
#include "lsp/features.h"
#include "lsp/framing.h"
#include "lsp/uri.h"

namespace biwa::lsp {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// JSON-RPC and LSP
constexpr int kParseError = -32700;
constexpr int kInvalidRequest = -32600;
constexpr int kMethodNotFound = -32601;
constexpr int kInvalidParams = -32602;
constexpr int kInternalError = -32603;
constexpr int kServerNotInitialized = -32002;
constexpr int kRequestCancelled = -32800;

constexpr const char* kCancel = "$/cancelRequest";

constexpr std::size_t kQueueBytesMax = 128 << 20;
// What is deeper in a message is left out: no client sends it, and reading it takes stack.
constexpr int kNestingMax = 64;

Json Parse(const std::string& text) {
    return Json::parse(
        text, [](int depth, Json::parse_event_t, Json&) { return depth < kNestingMax; }, false);
}

struct Document {
    std::string uri;
    std::string text;
    Json version;
    ProjectView* view = nullptr;  // nullptr: of no project
    std::string file;             // relative to the project's folder; else as the URI has it
};

Position ReadPosition(const Json& json) {
    return {json.at("line").get<std::size_t>(), json.at("character").get<std::size_t>()};
}

Json Capabilities(const std::string& version) {
    return {{"capabilities",
             {{"positionEncoding", "utf-16"},
              {"textDocumentSync",
               {{"openClose", true}, {"change", 2}, {"save", {{"includeText", false}}}}},
              {"completionProvider", {{"triggerCharacters", {"\"", "'", "`", ".", "{"}}}},
              {"hoverProvider", true},
              {"definitionProvider", true},
              {"referencesProvider", true},
              {"documentSymbolProvider", true},
              {"workspaceSymbolProvider", true},
              {"documentFormattingProvider", true}}},
            {"serverInfo", {{"name", "biwa"}, {"version", version}}}};
}

// The requests that the client has cancelled, known to the thread that reads before the one that
// answers comes to them. What is being answered already is answered. Thread-safe.
class Cancelled {
  public:
    void Add(const Json& id) {
        std::lock_guard lock(mutex_);
        ids_.insert(id.dump());
    }
    bool Has(const Json& id) const {
        std::lock_guard lock(mutex_);
        return ids_.contains(id.dump());
    }
    // When its turn comes in the order of messages, what it meant is behind.
    void Forget(const Json& id) {
        std::lock_guard lock(mutex_);
        ids_.erase(id.dump());
    }

  private:
    mutable std::mutex mutex_;
    std::set<std::string> ids_;
};

class Server {
  public:
    Server(std::ostream& out, ProjectTools& tools, const ServerOptions& options,
           Cancelled& cancelled)
        : out_(out), tools_(tools), options_(options), cancelled_(cancelled) {
        AddLifecycle();
        AddDocuments();
        AddFeatures();
    }

    void Take(const std::string& text) {
        const auto message = Parse(text);
        if (message.is_discarded()) return Refuse(nullptr, kParseError, "this is not JSON");
        if (!message.is_object())
            return Refuse(nullptr, kInvalidRequest, "a message is a JSON object");
        const auto id = message.value("id", Json());
        const auto method = message.find("method");
        if (method == message.end() || !method->is_string()) {
            // An answer to what was asked of the client: nothing is.
            if (message.contains("result") || message.contains("error")) return;
            return Refuse(id, kInvalidRequest, "a message names its method");
        }
        const auto params = message.value("params", Json());
        if (message.contains("id")) {
            Answer(id, method->get<std::string>(), params);
        } else {
            Note(method->get<std::string>(), params);
        }
    }

    bool exited() const { return exited_; }
    int exit_code() const { return shut_down_ ? 0 : 1; }

    // How long until something has to be checked; a long time when nothing has.
    std::chrono::milliseconds TimeToCheck() const {
        auto at = Clock::now() + std::chrono::hours(1);
        if (!to_check_.empty()) at = std::min(at, check_at_);
        if (!edited_.empty()) at = std::min(at, folders_at_);
        return std::max(std::chrono::milliseconds(0),
                        std::chrono::duration_cast<std::chrono::milliseconds>(at - Clock::now()));
    }
    // Compiles the projects in which something was changed, and tells what is wrong with them.
    void Check() {
        // At leisure the folders, too: not every editor says what happens there.
        if (!edited_.empty() && Clock::now() >= folders_at_) {
            for (auto* view : std::exchange(edited_, {})) {
                view->LookAtFiles();
                to_check_.insert(view);
            }
        }
        for (auto* view : std::exchange(to_check_, {})) Publish(*view, view->Check());
    }

  private:
    using Handler = std::function<Json(const Json&)>;

    void AddLifecycle() {
        requests_["initialize"] = [this](const Json&) {
            if (initialized_) throw Json::other_error::create(501, "it was initialized", nullptr);
            initialized_ = true;
            return Capabilities(options_.version);
        };
        requests_["shutdown"] = [this](const Json&) {
            shut_down_ = true;
            return Json();
        };
        notes_["exit"] = [this](const Json&) {
            exited_ = true;
            return Json();
        };
        notes_[kCancel] = [this](const Json& params) {
            cancelled_.Forget(params.at("id"));
            return Json();
        };
        for (const auto* name :
             {"initialized", "textDocument/didSave", "workspace/didChangeWatchedFiles",
              "workspace/didChangeConfiguration"}) {
            notes_[name] = [this](const Json&) {
                LookAtFolders();
                return Json();
            };
        }
    }

    void AddDocuments() {
        notes_["textDocument/didOpen"] = [this](const Json& params) {
            const auto& item = params.at("textDocument");
            Open(item.at("uri").get<std::string>(), item.at("text").get<std::string>(),
                 item.value("version", Json()));
            return Json();
        };
        notes_["textDocument/didChange"] = [this](const Json& params) {
            auto& document = Find(params);
            // Applied to a copy: a wrong one among them changes nothing.
            auto text = document.text;
            for (const auto& change : params.at("contentChanges")) Apply(change, text);
            document.text = std::move(text);
            document.version = params.at("textDocument").value("version", Json());
            if (document.view == nullptr) return Json();
            document.view->SetText(document.file, document.text);
            CheckSoon(document.view);
            edited_.insert(document.view);
            folders_at_ = Clock::now() + options_.folder_time;
            return Json();
        };
        notes_["textDocument/didClose"] = [this](const Json& params) {
            const auto document = Find(params);
            documents_.erase(document.uri);
            if (document.view == nullptr) return Json();
            document.view->ForgetText(document.file);
            LookAtFolders();
            return Json();
        };
    }

    void AddFeatures() {
        const auto at_place = [this](const Json& params, auto answer) -> Json {
            const auto& document = Find(params);
            if (document.view == nullptr) return nullptr;
            const TextIndex index(document.text);
            const auto offset = index.Offset(ReadPosition(params.at("position")));
            return answer(Place{*document.view, document.file, document.text, index, offset});
        };
        requests_["textDocument/completion"] = [at_place](const Json& params) {
            return at_place(params, Complete);
        };
        requests_["textDocument/hover"] = [at_place](const Json& params) {
            return at_place(params, Hover);
        };
        requests_["textDocument/definition"] = [at_place](const Json& params) {
            return at_place(params, GoToDefinition);
        };
        requests_["textDocument/references"] = [at_place](const Json& params) {
            const auto& context = params.at("context");
            const bool with_declaration = context.at("includeDeclaration").get<bool>();
            return at_place(params, [&](const Place& place) {
                return FindReferences(place, with_declaration);
            });
        };
        requests_["textDocument/documentSymbol"] = [this](const Json& params) {
            const auto& document = Find(params);
            return DocumentSymbols(document.file, document.text);
        };
        requests_["textDocument/formatting"] = [this](const Json& params) {
            const auto& document = Find(params);
            return document.file.ends_with(".sqlx") ? Format(document.text) : Json();
        };
        requests_["workspace/symbol"] = [this](const Json& params) {
            auto symbols = Json::array();
            const auto query = params.at("query").get<std::string>();
            for (const auto& [root, view] : views_) {
                for (auto& symbol : WorkspaceSymbols(*view, query))
                    symbols.push_back(std::move(symbol));
            }
            return symbols;
        };
    }

    void Send(const Json& message) {
        // Texts of files are UTF-8; a name on the disk may be anything.
        WriteMessage(out_, message.dump(-1, ' ', false, Json::error_handler_t::replace));
    }

    void Refuse(const Json& id, int code, const std::string& why) {
        Send({{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", why}}}});
    }

    void Answer(const Json& id, const std::string& method, const Json& params) {
        if (!initialized_ && method != "initialize")
            return Refuse(id, kServerNotInitialized, "\"initialize\" comes first");
        if (shut_down_) return Refuse(id, kInvalidRequest, "\"shutdown\" was the last request");
        if (cancelled_.Has(id)) return Refuse(id, kRequestCancelled, "it was cancelled");
        const auto handler = requests_.find(method);
        if (handler == requests_.end())
            return Refuse(id, kMethodNotFound, "there is no method \"" + method + "\"");
        try {
            Send({{"jsonrpc", "2.0"}, {"id", id}, {"result", handler->second(params)}});
        } catch (const Json::exception& error) {
            Refuse(id, kInvalidParams, error.what());
        } catch (const std::exception& error) {
            Refuse(id, kInternalError, error.what());
        }
    }

    void Note(const std::string& method, const Json& params) {
        const auto handler = notes_.find(method);
        if (handler == notes_.end() || (!initialized_ && method != "exit")) return;
        try {
            handler->second(params);
        } catch (const std::exception& error) {
            LogWarn("lsp: {}: {}", method, error.what());
        }
    }

    void Open(const std::string& uri, std::string text, Json version) {
        Document document;
        document.uri = uri;
        document.text = std::move(text);
        document.version = std::move(version);
        document.file = uri;
        FindView(document);
        documents_[uri] = std::move(document);
    }

    void FindView(Document& document) {
        const auto path = PathOfUri(document.uri);
        const auto root = path ? FindProjectRoot(path->parent_path()) : UserError("no file");
        if (!root) return;
        auto& view = views_[*root];
        if (!view) view = std::make_unique<ProjectView>(*root, tools_);
        document.view = view.get();
        document.file = path->lexically_relative(*root).generic_string();
        view->SetText(document.file, document.text);
        CheckSoon(document.view);
    }

    // Files, and whole projects, may have come and gone.
    void LookAtFolders() {
        for (auto place = views_.begin(); place != views_.end();) {
            auto* view = place->second.get();
            if (view->IsThere()) {
                view->LookAtFiles();
                CheckSoon(view);
                ++place;
                continue;
            }
            Publish(*view, {});
            for (auto& [uri, document] : documents_) {
                if (document.view != view) continue;
                document.view = nullptr;
                document.file = uri;
            }
            told_.erase(view);
            to_check_.erase(view);
            edited_.erase(view);
            place = views_.erase(place);
        }
        for (auto& [uri, document] : documents_) {
            if (document.view == nullptr) FindView(document);
        }
    }

    // An unknown document is as wrong as a parameter of a wrong type, and said in the same way.
    Document& Find(const Json& params) {
        const auto uri = params.at("textDocument").at("uri").get<std::string>();
        const auto found = documents_.find(uri);
        if (found == documents_.end()) {
            throw Json::other_error::create(501, "the document " + uri + " is not open", nullptr);
        }
        return found->second;
    }

    static void Apply(const Json& change, std::string& text) {
        auto put = change.at("text").get<std::string>();
        const auto range = change.find("range");
        if (range == change.end() || range->is_null()) {
            text = std::move(put);
            return;
        }
        const TextIndex index(text);
        const auto begin = index.Offset(ReadPosition(range->at("start")));
        const auto end = index.Offset(ReadPosition(range->at("end")));
        text.replace(begin, std::max(begin, end) - begin, put);
    }

    void CheckSoon(ProjectView* view) {
        if (view == nullptr) return;
        to_check_.insert(view);
        check_at_ = Clock::now() + options_.quiet_time;
    }

    const Document* DocumentOf(const ProjectView& view, const std::string& file) const {
        for (const auto& [uri, document] : documents_) {
            if (document.view == &view && document.file == file) return &document;
        }
        return nullptr;
    }

    void Publish(const ProjectView& view,
                 const std::map<std::string, std::vector<FileProblem>>& problems) {
        auto& told = told_[&view];
        auto files = told;
        for (const auto& [file, ignored] : problems) files.insert(file);
        told.clear();
        for (const auto& file : files) {
            const auto found = problems.find(file);
            const auto* document = DocumentOf(view, file);
            Json params = {{"uri", document ? document->uri : UriOfPath(view.root() / file)},
                           {"diagnostics", Json::array()}};
            if (found != problems.end()) {
                params["diagnostics"] = Diagnostics(view.Text(file).value_or(""), found->second);
                told.insert(file);
            }
            // So that the editor can tell for which text they are.
            if (document && document->version.is_number()) params["version"] = document->version;
            Send({{"jsonrpc", "2.0"},
                  {"method", "textDocument/publishDiagnostics"},
                  {"params", std::move(params)}});
        }
    }

    std::ostream& out_;
    ProjectTools& tools_;
    const ServerOptions& options_;
    Cancelled& cancelled_;
    std::map<std::string, Handler, std::less<>> requests_;
    std::map<std::string, Handler, std::less<>> notes_;
    bool initialized_ = false;
    bool shut_down_ = false;
    bool exited_ = false;
    std::map<fs::path, std::unique_ptr<ProjectView>> views_;
    std::map<std::string, Document> documents_;                 // by URI
    std::map<const ProjectView*, std::set<std::string>> told_;  // files with diagnostics
    std::set<ProjectView*> to_check_;
    std::set<ProjectView*> edited_;  // since their folders were looked at
    Clock::time_point check_at_{};
    Clock::time_point folders_at_{};
};

// What the thread that reads has to know of a message. "exit" is the last one: a client may leave
// its end of the pipe open behind it, and the reader would wait there for ever.
struct Glance {
    bool is_exit = false;
    std::optional<Json> cancels;  // the request of this id
};

Glance LookAt(const std::string& text) {
    constexpr std::size_t kShort = 1000;  // the text of a document need not be read twice
    if (text.size() > kShort) return {};
    const auto message = Parse(text);
    if (!message.is_object()) return {};
    const auto method = message.value("method", Json());
    if (method == "exit") return {true, std::nullopt};
    const auto params = message.value("params", Json());
    if (method != kCancel || !params.is_object() || !params.contains("id")) return {};
    return {false, params["id"]};
}

}  // namespace

Result<int> Serve(std::istream& in, std::ostream& out, ProjectTools& tools,
                  const ServerOptions& options) {
    Cancelled cancelled;
    Server server(out, tools, options, cancelled);
    BoundedQueue<std::string> messages(kQueueBytesMax);
    Status read;
    std::jthread reader([&](const std::stop_token& stop) {
        for (bool is_last = false; !is_last && !stop.stop_requested();) {
            auto message = ReadMessage(in);
            if (!message) read = tl::unexpected(message.error());
            if (!message || !*message) break;
            const auto glance = LookAt(**message);
            is_last = glance.is_exit;
            if (glance.cancels) cancelled.Add(*glance.cancels);
            while (
                !messages.TryPush(**message, (*message)->size(), std::chrono::seconds(1), stop) &&
                !stop.stop_requested()) {
            }
        }
        messages.Close();
    });
    while (!server.exited()) {
        if (const auto message = messages.Pop({}, server.TimeToCheck())) server.Take(*message);
        if (server.exited()) break;
        const bool ended = messages.closed() && messages.empty();
        if (ended || (messages.empty() && server.TimeToCheck().count() == 0)) server.Check();
        if (ended) break;
    }
    reader.join();
    if (!read) return tl::unexpected(read.error());
    return server.exit_code();
}

}  // namespace biwa::lsp
