// What an editor sends: the bytes as they come in (messages that are none, too), and the bytes as
// the text of a document about which everything is asked at many places.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "base/check.h"
#include "lsp/framing.h"
#include "lsp/server.h"
#include "lsp/text_index.h"

namespace {

using Json = nlohmann::json;
using namespace biwa;

// A project in which everything is wrong at many places, and a warehouse of one table.
class FuzzTools final : public lsp::ProjectTools {
  public:
    LoadedProject Load(const std::filesystem::path&, const UnsavedTexts&) override {
        return {nullptr,
                {{{"definitions/a.sqlx", 1, 1}, "x"},
                 {{"definitions/a.sqlx", 2, 7}, "y"},
                 {{"biwa.yaml"}, "z"},
                 {{}, "further"}}};
    }
    transform::Compilation Compile(const Project&) override { return {}; }
    std::vector<lsp::TableFacts> Tables(const Project&) override { return {}; }
};

void Serve(const std::string& bytes) {
    std::istringstream in(bytes);
    std::ostringstream out;
    FuzzTools tools;
    lsp::ServerOptions options;
    options.quiet_time = std::chrono::milliseconds(0);
    (void)lsp::Serve(in, out, tools, options);
    // Whatever came in, what goes out is messages.
    std::istringstream answers(out.str());
    for (;;) {
        const auto answer = lsp::ReadMessage(answers);
        BIWA_CHECK(answer.has_value());
        if (!*answer) return;
        BIWA_CHECK(!Json::parse(**answer, nullptr, false).is_discarded());
    }
}

void AskEverything(const std::string& text) {
    std::ostringstream in;
    int id = 0;
    const auto send = [&](Json message) {
        message["jsonrpc"] = "2.0";
        lsp::WriteMessage(in, message.dump(-1, ' ', false, Json::error_handler_t::replace));
    };
    const Json document = {{"uri", "file:///tmp/biwa_fuzz_project/definitions/a.sqlx"}};
    send({{"id", ++id}, {"method", "initialize"}, {"params", Json::object()}});
    auto opened = document;
    opened["text"] = text;
    send({{"method", "textDocument/didOpen"}, {"params", {{"textDocument", opened}}}});
    const lsp::TextIndex index(text);
    for (std::size_t i = 0; i <= 8; ++i) {
        const auto at = index.At(text.size() * i / 8);
        for (const auto* method : {"textDocument/completion", "textDocument/hover",
                                   "textDocument/definition", "textDocument/references"}) {
            send({{"id", ++id},
                  {"method", method},
                  {"params",
                   {{"textDocument", document},
                    {"position", {{"line", at.line}, {"character", at.character}}},
                    {"context", {{"includeDeclaration", true}}}}}});
        }
    }
    for (const auto* method : {"textDocument/documentSymbol", "textDocument/formatting"}) {
        send({{"id", ++id}, {"method", method}, {"params", {{"textDocument", document}}}});
    }
    Serve(in.str());
}

}  // namespace

// A folder with a biwa.yaml makes documents part of a project.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
    std::filesystem::create_directories("/tmp/biwa_fuzz_project");
    std::FILE* file = std::fopen("/tmp/biwa_fuzz_project/biwa.yaml", "w");
    BIWA_CHECK(file != nullptr);
    std::fclose(file);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    if (bytes.starts_with("Content-") || size % 2 == 0) {
        Serve(bytes);
    } else {
        AskEverything(bytes);
    }
    return 0;
}
