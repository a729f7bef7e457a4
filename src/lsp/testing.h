// A project in a folder of its own, and what a language server answers about it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/testing.h"
#include "lsp/framing.h"
#include "lsp/server.h"
#include "lsp/text_index.h"
#include "lsp/uri.h"

namespace biwa::lsp {

// The compiler itself, and a warehouse of one table.
class TestTools final : public ProjectTools {
  public:
    LoadedProject Load(const std::filesystem::path& root, const UnsavedTexts& unsaved) override {
        ++loaded;
        std::this_thread::sleep_for(load_time);
        return LoadWithProblems(
            root, {{"postgres", {{.name = "url", .description = "All in one."}}}}, unsaved);
    }
    transform::Compilation Compile(const Project& project) override {
        ++compiled;
        transform::CompileInput input;
        input.files = project.definitions;
        input.settings = project.models;
        for (const auto& [name, stream] : project.streams)
            input.stream_datasets.insert(stream.dataset);
        return transform::CompileAll(input);
    }
    std::vector<TableFacts> Tables(const Project&) override {
        return {{{"app", "answers"},
                 {{"id", "BIGINT", ""}, {"生徒", "VARCHAR", "who | what"}, {"a b", "DATE", ""}}},
                {daily, {{"day", "DATE", ""}, {"answers", "BIGINT", ""}}}};
    }

    TableName daily{"main", "daily"};  // of the model that was built
    int loaded = 0;
    int compiled = 0;
    std::chrono::milliseconds load_time{0};
};

class ServerTest : public testing::Test {
  protected:
    using Json = nlohmann::json;

    ServerTest() {
        Write("biwa.yaml", "name: juku\n");
        Write("connections/db.yaml", "url: postgres://h/d\n");
        Write("streams/app.yaml", "connection: db\ntables: public.*\n");
        Write(
            "definitions/daily.sqlx",
            "config {\n  type: \"table\",\n  description: \"毎日の回答\",\n  columns: { day: \"The "
            "day\" }\n}\n\nSELECT 1 AS day\n");
    }

    void Write(const std::string& path, const std::string& text) {
        std::filesystem::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path, std::ios::binary) << text;
    }
    std::string Uri(const std::string& file) const { return UriOfPath(root_ / file); }

    void Note(const std::string& method, Json params) {
        Send({{"jsonrpc", "2.0"}, {"method", method}, {"params", std::move(params)}});
    }
    int Ask(const std::string& method, Json params) {
        Send(
            {{"jsonrpc", "2.0"}, {"id", ++id_}, {"method", method}, {"params", std::move(params)}});
        return id_;
    }
    void Send(const Json& message) { WriteMessage(in_, message.dump()); }

    void Open(const std::string& file, const std::string& text) {
        Note("textDocument/didOpen",
             {{"textDocument",
               {{"uri", Uri(file)}, {"languageId", "sqlx"}, {"version", 1}, {"text", text}}}});
    }
    // Asks about the place of the first "█" in the text, which is opened without it.
    int AskAt(const std::string& method, const std::string& file, std::string text,
              Json more = Json::object()) {
        const std::string mark = "█";
        const auto at = text.find(mark);
        EXPECT_NE(at, std::string::npos);
        text.erase(at, mark.size());
        Open(file, text);
        const auto position = TextIndex(text).At(at);
        more["textDocument"] = {{"uri", Uri(file)}};
        more["position"] = {{"line", position.line}, {"character", position.character}};
        return Ask(method, std::move(more));
    }

    // Runs the server on all that was said so far and keeps its answers.
    int Run() {
        ServerOptions options;
        options.version = "1";
        options.quiet_time = std::chrono::milliseconds(0);
        return Run(options);
    }
    int Run(const ServerOptions& options) {
        std::istringstream in(in_.str());
        std::ostringstream out;
        const auto code = Serve(in, out, tools_, options);
        EXPECT_TRUE(code) << code.error().message;
        std::istringstream answers(out.str());
        while (auto message = ReadMessage(answers).value())
            answers_.push_back(Json::parse(*message));
        return code.value_or(-1);
    }
    // From beginning to end: the answer to the one question in between.
    Json Answer(int id) {
        Finish();
        return ResultOf(id);
    }
    void Begin() {
        Ask("initialize", {{"capabilities", Json::object()}});
        Note("initialized", Json::object());
    }
    void Finish() {
        Ask("shutdown", nullptr);
        Note("exit", nullptr);
        EXPECT_EQ(Run(), 0);
    }
    Json ResultOf(int id) const {
        for (const auto& answer : answers_) {
            if (answer.value("id", Json()) == id) {
                EXPECT_TRUE(answer.contains("result")) << answer.dump();
                return answer.value("result", Json());
            }
        }
        ADD_FAILURE() << "no answer to " << id;
        return {};
    }
    // The last that was published of a file.
    Json DiagnosticsOf(const std::string& file) const {
        Json last = "nothing was published";
        for (const auto& answer : answers_) {
            if (answer.value("method", "") == "textDocument/publishDiagnostics" &&
                answer["params"]["uri"] == Uri(file)) {
                last = answer["params"]["diagnostics"];
            }
        }
        return last;
    }

    TempFolder folder_;
    const std::filesystem::path& root_ = folder_.path();
    TestTools tools_;
    std::vector<Json> answers_;

  private:
    std::ostringstream in_;
    int id_ = 0;
};

}  // namespace biwa::lsp
