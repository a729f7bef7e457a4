// What `biwa validate` says, as an editor shows it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lsp/text_index.h"

namespace biwa::lsp {

struct PlacedMessage {
    std::string file;  // relative to the project's folder; empty: of none
    int line = 0;      // 0: the file as a whole
    int column = 0;
    std::string message;
};

// Takes an error of LoadProject or Compile apart: one "file:line:column: …" a line; what does not
// begin so goes on with the line before.
std::vector<PlacedMessage> SplitMessages(std::string_view error);

// What a message about a place means: the word, string or call that begins there.
Span SpanAt(std::string_view text, const TextIndex& index, int line, int column);

}  // namespace biwa::lsp
