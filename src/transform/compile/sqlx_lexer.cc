#include "transform/compile/sqlx_lexer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>

#include "base/text.h"
#include "transform/compile/js_scanner.h"

namespace biwa::transform {

namespace {

constexpr std::string_view kSpace = " \t\r\n";

bool IsNameByte(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80) != 0;
}

bool IsBlank(const SqlStatement& statement) {
    return std::all_of(statement.begin(), statement.end(), [](const SqlPart& part) {
        return part.kind == SqlPart::Kind::kText && Trim(part.source.text).empty();
    });
}

class Lexer {
  public:
    explicit Lexer(std::string_view text) : text_(text) {}

    Parsed<SqlxFile> Lex() {
        auto statements = LexSql(std::nullopt);
        if (!statements) return tl::unexpected(std::move(statements).error());
        file_.statements = std::move(*statements);
        return std::move(file_);
    }

  private:
    // Reads SQL up to the end of the file or, inside of a block that opened at `block`, up to and
    // including its "}".
    Parsed<std::vector<SqlStatement>> LexSql(std::optional<std::size_t> block) {
        Sql sql{{}, {}, at_};
        int open = 0;
        while (at_ < text_.size()) {
            const char c = text_[at_];
            Parsed<void> read;
            if (StartsWith("---") && IsLineBlank(at_ + 3)) {
                EndStatement(sql);
                at_ += 3;
                sql.begin = at_;
            } else if (StartsWith("--")) {
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else if (StartsWith("/*")) {
                const auto end = text_.find("*/", at_ + 2);
                if (end == std::string_view::npos)
                    return Wrong(at_, "this comment is never closed by \"*/\"");
                at_ = end + 2;
            } else if (StartsWith("${")) {
                read = ReadPlaceholder(sql);
            } else if (c == '\'' || c == '"' || c == '`') {
                read = ReadString(sql);
            } else if (StartsWith("$$")) {
                const auto end = text_.find("$$", at_ + 2);
                if (end == std::string_view::npos)
                    return Wrong(at_, "this string is never closed by \"$$\"");
                at_ = end + 2;
            } else if (block && c == '{') {
                ++open;
                ++at_;
            } else if (block && c == '}') {
                if (open-- == 0) {
                    EndStatement(sql);
                    ++at_;
                    return std::move(sql.statements);
                }
                ++at_;
            } else if (!block && (at_ == 0 || !IsNameByte(text_[at_ - 1])) && IsNameByte(c)) {
                read = ReadWord(sql);
            } else {
                ++at_;
            }
            if (!read) return tl::unexpected(std::move(read).error());
        }
        if (block) return Wrong(*block, "this block is never closed by \"}\"");
        EndStatement(sql);
        return std::move(sql.statements);
    }

    struct Sql {
        std::vector<SqlStatement> statements;
        SqlStatement statement;  // being read
        std::size_t begin;       // of its text that is no part yet
    };

    bool StartsWith(std::string_view what) const { return text_.substr(at_, what.size()) == what; }

    bool IsLineBlank(std::size_t from) const {
        const auto end = std::min(text_.find('\n', from), text_.size());
        return Trim(text_.substr(from, end - from)).empty();
    }

    void EndText(Sql& sql) const {
        if (at_ == sql.begin) return;
        sql.statement.push_back(
            {SqlPart::Kind::kText, {sql.begin, text_.substr(sql.begin, at_ - sql.begin)}});
        sql.begin = at_;
    }

    void EndStatement(Sql& sql) const {
        EndText(sql);
        if (!IsBlank(sql.statement)) sql.statements.push_back(std::move(sql.statement));
        sql.statement.clear();
    }

    Parsed<void> ReadPlaceholder(Sql& sql) {
        EndText(sql);
        const auto begin = at_ + 2;
        const auto end = FindClosingBrace(text_, begin);
        if (!end) return tl::unexpected(end.error());
        sql.statement.push_back(
            {SqlPart::Kind::kPlaceholder, {begin, text_.substr(begin, *end - begin)}});
        at_ = *end + 1;
        sql.begin = at_;
        return {};
    }

    Parsed<void> ReadString(Sql& sql) {
        const auto begin = at_;
        const char quote = text_[at_];
        const bool has_escapes = quote == '\'' && at_ > 0 && (text_[at_ - 1] | 0x20) == 'e' &&
                                 (at_ == 1 || !IsNameByte(text_[at_ - 2]));
        ++at_;
        while (at_ < text_.size()) {
            // A doubled quote is no end: what follows has escapes still.
            if (text_[at_] == quote && at_ + 1 < text_.size() && text_[at_ + 1] == quote) {
                at_ += 2;
                continue;
            }
            if (text_[at_] == quote) {
                ++at_;
                return {};
            }
            if (StartsWith("${")) {
                const auto read = ReadPlaceholder(sql);
                if (!read) return read;
            } else {
                at_ += has_escapes && text_[at_] == '\\' ? 2 : 1;
            }
        }
        at_ = text_.size();
        return Wrong(begin, std::string("this string is never closed by ") + quote);
    }

    // A word of SQL, or the beginning of a block.
    Parsed<void> ReadWord(Sql& sql) {
        const auto begin = at_;
        while (at_ < text_.size() && IsNameByte(text_[at_])) ++at_;
        const auto word = text_.substr(begin, at_ - begin);
        constexpr std::array<std::string_view, 6> kBlocks = {
            "config", "js", "pre_operations", "post_operations", "incremental_where", "input"};
        if (std::find(kBlocks.begin(), kBlocks.end(), word) == kBlocks.end()) return {};
        if (word == "input") {
            const auto read = ReadInput(sql, begin);
            if (!read) return tl::unexpected(read.error());
            return {};
        }
        const auto brace = text_.find_first_not_of(kSpace, at_);
        if (brace == std::string_view::npos || text_[brace] != '{') return {};

        at_ = begin;
        EndText(sql);
        at_ = brace + 1;
        const auto read = ReadBlock(word, begin, brace);
        sql.begin = at_;
        return read;
    }

    // input "table" {, input "dataset", "table" {. Anything else is a word of SQL.
    Parsed<void> ReadInput(Sql& sql, std::size_t begin) {
        SqlxInput input;
        input.offset = begin;
        auto at = text_.find_first_not_of(kSpace, at_);
        while (at < text_.size() && text_[at] == '"') {
            const auto end = text_.find_first_of("\"\n", at + 1);
            if (end == std::string_view::npos || text_[end] != '"') return {};
            input.names.push_back({at + 1, text_.substr(at + 1, end - at - 1)});
            at = text_.find_first_not_of(kSpace, end + 1);
            if (at < text_.size() && text_[at] == ',') at = text_.find_first_not_of(kSpace, at + 1);
        }
        if (input.names.empty() || at >= text_.size() || text_[at] != '{') return {};
        at_ = begin;
        EndText(sql);
        at_ = at + 1;
        auto statements = LexSql(at);
        if (!statements) return tl::unexpected(std::move(statements).error());
        input.statements = std::move(*statements);
        file_.inputs.push_back(std::move(input));
        sql.begin = at_;
        return {};
    }

    // From behind the brace on.
    Parsed<void> ReadBlock(std::string_view word, std::size_t begin, std::size_t brace) {
        if (word == "config" || word == "js") {
            const auto end = FindClosingBrace(text_, at_);
            if (!end) return tl::unexpected(end.error());
            at_ = *end + 1;
            if (word == "js") {
                file_.js.push_back({brace + 1, text_.substr(brace + 1, *end - brace - 1)});
            } else if (file_.config) {
                return Wrong(begin, "a file has one config block, and this is its second");
            } else {
                file_.config = SourceText{brace, text_.substr(brace, at_ - brace)};
            }
            return {};
        }
        auto statements = LexSql(brace);
        if (!statements) return tl::unexpected(std::move(statements).error());
        auto& operations = word == "pre_operations"    ? file_.pre_operations
                           : word == "post_operations" ? file_.post_operations
                                                       : file_.incremental_where;
        std::move(statements->begin(), statements->end(), std::back_inserter(operations));
        return {};
    }

    std::string_view text_;
    std::size_t at_ = 0;
    SqlxFile file_;
};

}  // namespace

Parsed<SqlxFile> LexSqlx(std::string_view text) { return Lexer(text).Lex(); }

bool HasSql(const SqlStatement& statement) {
    for (const auto& part : statement) {
        if (part.kind == SqlPart::Kind::kPlaceholder) return true;
        auto text = Trim(part.source.text);
        while (text.starts_with("--") || text.starts_with("/*")) {
            const std::string_view end = text.starts_with("--") ? "\n" : "*/";
            const auto at = text.find(end, 2);
            text = at == std::string_view::npos ? "" : Trim(text.substr(at + end.size()));
        }
        if (!text.empty()) return true;
    }
    return false;
}

}  // namespace biwa::transform
