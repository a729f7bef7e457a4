// JavaScript as a row of tokens: enough to lay out an object literal and to find calls in it.
//
// Nothing is refused: a text that is being typed has tokens too. The tokens stand one behind
// another without a gap, and put together they are the text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace biwa::transform {

struct JsToken {
    enum class Kind {
        kSpace,
        kComment,
        kWord,      // a name, a keyword, a number
        kString,    // '…' or "…", on one line
        kTemplate,  // `…`, with what its placeholders hold
        kMark,      // one byte of anything else
    };
    Kind kind = Kind::kSpace;
    std::size_t offset = 0;  // byte of the file
    std::string_view text;
    bool closed = true;  // false: a string, template or comment whose end is missing

    std::size_t end() const { return offset + text.size(); }
    bool Is(char mark) const { return kind == Kind::kMark && text[0] == mark; }
};

// `text` begins at `offset` of its file.
std::vector<JsToken> ScanJs(std::string_view text, std::size_t offset);

// A piece of JavaScript inside of other text.
struct JsPiece {
    std::size_t offset = 0;
    std::string_view text;
};

// What is between the "${" and "}" of a template literal or of an SQL string; a piece whose "}" is
// missing goes on to the end of its line, or of `text`.
std::vector<JsPiece> FindPlaceholders(std::string_view text, std::size_t offset);

// The placeholder that opens at text[at], "${": the offset in `text` behind its "}", or where it
// breaks off.
struct PlaceholderEnd {
    std::size_t inner_end = 0;
    std::size_t end = 0;
    bool closed = true;
};
PlaceholderEnd EndOfPlaceholder(std::string_view text, std::size_t at);

// A string's value as far as it needs no more than single-letter escapes; of one being typed, what
// there is.
std::string ValueOfString(const JsToken& token);

}  // namespace biwa::transform
