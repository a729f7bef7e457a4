// The answers of the language server, as JSON of LSP 3.17. Each about one place of one file.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "lsp/project_view.h"

namespace biwa::lsp {

using Json = nlohmann::json;

struct Place {
    const ProjectView& view;
    const std::string& file;  // relative to the project's folder
    std::string_view text;
    const TextIndex& index;
    std::size_t offset;
};

Json ToJson(const TextIndex& index, Span span);  // a Range

Json Complete(const Place& place);
Json Hover(const Place& place);
Json GoToDefinition(const Place& place);
Json FindReferences(const Place& place, bool with_declaration);
Json DocumentSymbols(const std::string& file, std::string_view text);
Json WorkspaceSymbols(const ProjectView& view, std::string_view query);
// TextEdits that lay the file out; null when it cannot be.
Json Format(std::string_view text);
// Diagnostics of one file.
Json Diagnostics(std::string_view text, const std::vector<FileProblem>& problems);

}  // namespace biwa::lsp
