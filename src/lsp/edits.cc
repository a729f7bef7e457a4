#include <algorithm>

#include "lsp/features.h"
#include "transform/syntax/format.h"

namespace biwa::lsp {

namespace {

constexpr int kError = 1;  // DiagnosticSeverity

// How many bytes of whole lines are the same at the front.
std::size_t SameLines(std::string_view a, std::string_view b) {
    const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
    const auto line = a.substr(0, static_cast<std::size_t>(end - a.begin())).rfind('\n');
    return line == std::string_view::npos ? 0 : line + 1;
}

}  // namespace

Json Format(std::string_view text) {
    const auto formatted = transform::FormatSqlx(text);
    if (!formatted) return nullptr;
    if (*formatted == text) return Json::array();
    // One edit, of the lines that differ: the editor's marks in the others stay.
    const std::string_view result = *formatted;
    const auto front = SameLines(text, result);
    auto old_end = text.size();
    auto new_end = result.size();
    while (old_end > front && new_end > front && text[old_end - 1] == result[new_end - 1]) {
        --old_end;
        --new_end;
    }
    // On to the end of the line, which is never half of a character.
    const auto line = text.find('\n', old_end);
    const auto keep = line == std::string_view::npos ? text.size() : line + 1;
    new_end += keep - old_end;
    old_end = keep;
    return Json::array({{{"range", ToJson(TextIndex(text), {front, old_end})},
                         {"newText", std::string(result.substr(front, new_end - front))}}});
}

Json Diagnostics(std::string_view text, const std::vector<FileProblem>& problems) {
    const TextIndex index(text);
    Json diagnostics = Json::array();
    for (const auto& [place, message] : problems) {
        diagnostics.push_back(
            {{"range", ToJson(index, SpanAt(text, index, place.line, place.column))},
             {"severity", kError},
             {"source", "biwa"},
             {"message", message}});
    }
    return diagnostics;
}

}  // namespace biwa::lsp
