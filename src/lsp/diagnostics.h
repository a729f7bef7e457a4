// What `biwa validate` says, as an editor shows it.
#pragma once

#include <string_view>

#include "lsp/text_index.h"

namespace biwa::lsp {

// What a message about a place means: the word, string or call that begins there.
Span SpanAt(std::string_view text, const TextIndex& index, int line, int column);

}  // namespace biwa::lsp
