#include "transform/syntax/sqlx_outline.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "base/text.h"
#include "transform/compile/js_scanner.h"
#include "transform/syntax/js_tokens.h"

namespace biwa::transform {

namespace {

using Kind = SqlToken::Kind;
using Section = SqlxSection::Kind;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool IsNameByte(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80) != 0;
}

constexpr std::array<Section, 6> kBlocks = {Section::kConfig,           Section::kJs,
                                            Section::kPreOperations,    Section::kPostOperations,
                                            Section::kIncrementalWhere, Section::kInput};

// Reads sections one behind another. at_ never goes back.
class Outliner {
  public:
    explicit Outliner(std::string_view text) : text_(text) {}

    std::vector<SqlxSection> Read() {
        while (at_ < text_.size()) {
            if (const auto block = FindBlock()) {
                sections_.push_back(ReadBlock(*block));
            } else {
                sections_.push_back(ReadSql());
            }
        }
        return std::move(sections_);
    }

  private:
    struct Block {
        Section kind;
        std::size_t brace;
    };

    bool StartsWith(std::string_view what) const { return text_.substr(at_, what.size()) == what; }
    std::size_t SkipSpace(std::size_t at) const {
        while (at < text_.size() && IsSpace(text_[at])) ++at;
        return at;
    }
    std::size_t EndOfName(std::size_t at) const {
        while (at < text_.size() && IsNameByte(text_[at])) ++at;
        return at;
    }

    // The block that begins here.
    std::optional<Block> FindBlock() const {
        if (at_ > 0 && IsNameByte(text_[at_ - 1])) return std::nullopt;
        const auto word_end = EndOfName(at_);
        const auto word = text_.substr(at_, word_end - at_);
        const auto kind = std::find_if(kBlocks.begin(), kBlocks.end(),
                                       [&](Section block) { return ToString(block) == word; });
        if (kind == kBlocks.end()) return std::nullopt;
        auto at = SkipSpace(word_end);
        if (*kind == Section::kInput) {
            const auto names = at;
            while (at < text_.size() && text_[at] == '"') {
                const auto end = text_.find_first_of("\"\n", at + 1);
                if (end == std::string_view::npos || text_[end] != '"') return std::nullopt;
                at = SkipSpace(end + 1);
                if (at < text_.size() && text_[at] == ',') at = SkipSpace(at + 1);
            }
            if (at == names) return std::nullopt;
        }
        if (at >= text_.size() || text_[at] != '{') return std::nullopt;
        return Block{*kind, at};
    }

    SqlxSection ReadBlock(const Block& block) {
        SqlxSection section;
        section.kind = block.kind;
        section.offset = at_;
        section.head = text_.substr(at_, block.brace + 1 - at_);
        at_ = block.brace + 1;
        const auto begin = at_;
        if (section.HoldsSql()) {
            section.closed = ReadTokens(true, section.sql);
            section.body = text_.substr(begin, at_ - begin);
        } else {
            const auto end = FindClosingBrace(text_, at_);
            section.closed = end.has_value();
            at_ = end ? *end : text_.size();
            section.body = text_.substr(begin, at_ - begin);
        }
        if (section.closed) ++at_;
        section.text = text_.substr(section.offset, at_ - section.offset);
        return section;
    }

    SqlxSection ReadSql() {
        SqlxSection section;
        section.offset = at_;
        ReadTokens(false, section.sql);
        section.text = section.body = text_.substr(section.offset, at_ - section.offset);
        return section;
    }

    // Up to the end of the file, the next block or, inside of a block, to its "}"; true there.
    bool ReadTokens(bool in_block, std::vector<SqlToken>& tokens) {
        int open = 0;
        while (at_ < text_.size()) {
            if (in_block && text_[at_] == '}' && open-- == 0) return true;
            if (in_block && text_[at_] == '{') ++open;
            if (!in_block && FindBlock()) return false;
            tokens.push_back(ReadToken());
        }
        return false;
    }

    SqlToken ReadToken() {
        const auto begin = at_;
        SqlToken token;
        token.offset = begin;
        const char c = text_[at_];
        if (IsSpace(c)) {
            at_ = SkipSpace(at_);
        } else if (StartsWith("---") && IsLineBlank(at_ + 3)) {
            token.kind = Kind::kSeparator;
            at_ += 3;
        } else if (StartsWith("--")) {
            token.kind = Kind::kLineComment;
            at_ = std::min(text_.find('\n', at_), text_.size());
        } else if (StartsWith("/*")) {
            token.kind = Kind::kComment;
            ReadUpTo("*/", token);
        } else if (StartsWith("${")) {
            token.kind = Kind::kPlaceholder;
            token.closed = SkipPlaceholder();
        } else if (c == '\'' || c == '"' || c == '`') {
            token.kind = c == '\'' ? Kind::kString : Kind::kName;
            ReadString(false, token);
        } else if (StartsWith("$$")) {
            token.kind = Kind::kString;
            ReadUpTo("$$", token);
        } else if (IsNameByte(c)) {
            ReadWord(token);
        } else {
            token.kind = Kind::kMark;
            ++at_;
        }
        token.text = text_.substr(begin, at_ - begin);
        return token;
    }

    bool IsLineBlank(std::size_t from) const {
        const auto end = std::min(text_.find('\n', from), text_.size());
        return Trim(text_.substr(from, end - from)).empty();
    }

    // A comment or string that opens with two bytes.
    void ReadUpTo(std::string_view closing, SqlToken& token) {
        const auto end = text_.find(closing, at_ + 2);
        token.closed = end != std::string_view::npos;
        at_ = token.closed ? end + closing.size() : text_.size();
    }

    bool SkipPlaceholder() {
        const auto end = EndOfPlaceholder(text_, at_);
        at_ = std::min(end.end, text_.size());
        return end.closed;
    }

    void ReadWord(SqlToken& token) {
        token.kind = Kind::kWord;
        const bool is_inside_of_name = at_ > 0 && IsNameByte(text_[at_ - 1]);
        const auto end = EndOfName(at_);
        const bool is_escape_mark = end == at_ + 1 && (text_[at_] | 0x20) == 'e' &&
                                    !is_inside_of_name && end < text_.size() && text_[end] == '\'';
        at_ = end;
        if (!is_escape_mark) return;
        token.kind = Kind::kString;
        ReadString(true, token);
    }

    // A doubled quote is no end. A quote that is never closed ends with its line: it is being
    // typed.
    void ReadString(bool has_escapes, SqlToken& token) {
        const auto begin = at_;
        const char quote = text_[at_];
        ++at_;
        while (at_ < text_.size()) {
            if (text_[at_] == quote) {
                ++at_;
                if (at_ >= text_.size() || text_[at_] != quote) return;
                ++at_;
            } else if (StartsWith("${")) {
                SkipPlaceholder();
            } else {
                at_ = std::min(at_ + (has_escapes && text_[at_] == '\\' ? 2 : 1), text_.size());
            }
        }
        token.closed = false;
        at_ = std::max(begin + 1, std::min(text_.find('\n', begin), text_.size()));
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::vector<SqlxSection> sections_;
};

}  // namespace

std::string_view ToString(SqlxSection::Kind kind) {
    switch (kind) {
        case Section::kSql:
            return "sql";
        case Section::kConfig:
            return "config";
        case Section::kJs:
            return "js";
        case Section::kPreOperations:
            return "pre_operations";
        case Section::kPostOperations:
            return "post_operations";
        case Section::kIncrementalWhere:
            return "incremental_where";
        case Section::kInput:
            return "input";
    }
    return "";
}

std::vector<SqlxSection> OutlineSqlx(std::string_view text) { return Outliner(text).Read(); }

}  // namespace biwa::transform
