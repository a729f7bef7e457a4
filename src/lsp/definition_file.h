// What a definition file, finished or not, says of tables: those it makes, and those it names.
//
// Read from tokens and without evaluating anything: an editor asks while half a word is there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lsp/project_tools.h"
#include "lsp/text_index.h"

namespace biwa::lsp {

// "answers", or "app", "answers".
struct TableMention {
    std::string dataset;  // may be empty
    std::string name;
    Span span;  // of the names, with their quotes
};

// A table, view, assertion … that a file makes or declares.
struct MadeTable {
    std::string dataset;  // may be empty: the project's
    std::string name;
    std::string type;  // "table", "view", …
    std::string description;
    std::vector<ColumnFacts> columns;
    Span span;  // where one is led to
};

struct DefinitionFacts {
    std::vector<MadeTable> made;
    std::vector<TableMention> mentions;  // in order
};

// Of a .sqlx or .js file; of any other there is nothing to say.
DefinitionFacts ReadDefinition(const std::string& path, std::string_view text);

}  // namespace biwa::lsp
