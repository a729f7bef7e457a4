// The text of a definition file (of JavaScript, when it begins with "//"), beside another that it
// may refer to: it ends in a graph, whose SQL knows the file's line of each of its lines, or in
// errors with places.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "transform/compile/compile.h"
#include "transform/compile/dataform_json.h"
#include "transform/compile/prepare.h"

namespace {

void CheckLines(const biwa::transform::SqlText& text, int file_lines) {
    const auto lines = std::count(text.sql.begin(), text.sql.end(), '\n') + 1;
    // Assertions of a config have no lines in the file.
    if (text.lines.empty()) return;
    BIWA_CHECK(static_cast<std::ptrdiff_t>(text.lines.size()) == lines);
    for (const int line : text.lines) BIWA_CHECK(line >= 1 && line <= 2 * file_lines + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    biwa::transform::CompileInput input;
    const std::string text(reinterpret_cast<const char*>(data), size);
    input.files = {
        {text.starts_with("//") ? "definitions/a.js" : "definitions/a.sqlx", text},
        {"definitions/b.sqlx", "config {type: 'view'} SELECT * FROM ${ref('app', 't')}"}};
    input.includes = {{"includes/h.js", "exports.f = (x) => `${x} + 1`"}};
    input.settings.vars = {{"v", "1"}};
    input.script_limits = {16 << 20, 256 << 10, std::chrono::milliseconds(50)};
    input.stream_datasets = {"app"};
    const auto compilation = biwa::transform::CompileAll(input);
    BIWA_CHECK(!ToDataformJson(compilation, input.settings).empty());
    for (const auto& error : compilation.errors)
        BIWA_CHECK(!error.message.empty() && error.location.line >= 1);
    if (!compilation.errors.empty()) return 0;
    const auto file_lines = static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 1;
    for (const auto& action : PrepareForEngine(compilation.graph).actions) {
        CheckLines(action.full.query, file_lines);
        CheckLines(compilation.graph.Find(action.target)->incremental.query, file_lines);
        for (const auto& operation : action.operations) CheckLines(operation, file_lines);
    }
    return 0;
}
