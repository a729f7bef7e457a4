#include "source/mysql/statements.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "base/text.h"

namespace biwa::mysql {

namespace {

struct Token {
    std::string text;  // a bare word in capitals; a quoted name or other sign as it is
    std::string name;  // a word or quoted name as it was written
    bool is_name = false;
};

// Comments are passed over, but for those that the server executes.
class Tokenizer {
  public:
    Tokenizer(std::string_view sql, bool has_backslashes)
        : rest_(sql), has_backslashes_(has_backslashes) {}

    std::vector<Token> All() {
        std::vector<Token> tokens;
        while (SkipSpace()) tokens.push_back(Next());
        return tokens;
    }

  private:
    static bool IsWord(char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' ||
               (c & 0x80) != 0;
    }

    void SkipTo(std::string_view end) {
        const auto at = rest_.find(end);
        rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at + end.size());
    }

    // Two dashes are a comment only before a space or control character.
    bool IsLineComment() const {
        if (rest_[0] == '#') return true;
        if (!rest_.starts_with("--")) return false;
        const auto next = rest_.size() > 2 ? static_cast<unsigned char>(rest_[2]) : ' ';
        return std::isspace(next) != 0 || std::iscntrl(next) != 0;
    }

    bool SkipSpace() {
        while (!rest_.empty()) {
            if (std::isspace(static_cast<unsigned char>(rest_[0])) != 0) {
                rest_.remove_prefix(1);
            } else if (rest_.starts_with("/*!") || rest_.starts_with("/*M!")) {
                rest_.remove_prefix(rest_[2] == 'M' ? 4 : 3);
                while (!rest_.empty() && std::isdigit(static_cast<unsigned char>(rest_[0])) != 0) {
                    rest_.remove_prefix(1);
                }
            } else if (rest_.starts_with("*/")) {
                rest_.remove_prefix(2);
            } else if (rest_.starts_with("/*")) {
                SkipTo("*/");
            } else if (IsLineComment()) {
                SkipTo("\n");
            } else {
                return true;
            }
        }
        return false;
    }

    Token Next() {
        Token token;
        const char first = rest_[0];
        if (IsWord(first)) {
            std::size_t size = 1;
            while (size < rest_.size() && IsWord(rest_[size])) ++size;
            token.name = rest_.substr(0, size);
            token.text = token.name;
            for (char& c : token.text) {
                if ((c & 0x80) == 0) {
                    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
                }
            }
            token.is_name = true;
            rest_.remove_prefix(size);
            return token;
        }
        if (first == '`' || first == '"' || first == '\'') {
            std::size_t at = 1;
            for (; at < rest_.size(); ++at) {
                if (rest_[at] == '\\' && has_backslashes_ && first != '`' &&
                    at + 1 < rest_.size()) {
                    token.name += rest_[++at];
                    continue;
                }
                if (rest_[at] == first) {
                    if (at + 1 >= rest_.size() || rest_[at + 1] != first) break;
                    ++at;
                }
                token.name += rest_[at];
            }
            // A text in double quotes may be a name, by sql_mode.
            token.is_name = first != '\'';
            token.text = first;
            rest_.remove_prefix(std::min(at + 1, rest_.size()));
            return token;
        }
        token.text = first;
        rest_.remove_prefix(1);
        return token;
    }

    std::string_view rest_;
    const bool has_backslashes_;
};

class Parser {
  public:
    Parser(std::vector<Token> tokens, const std::string& database)
        : tokens_(std::move(tokens)), database_(database) {}

    Statement Parse() {
        using Kind = Statement::Kind;
        SkipSettings();
        if (Eat("BEGIN") || Eat("START")) {
            // "BEGIN NOT ATOMIC" would be a block, but is never in the log.
            statement_.kind = Kind::kBegin;
        } else if (Eat("COMMIT")) {
            statement_.kind = Kind::kCommit;
        } else if (Eat("ROLLBACK")) {
            Eat("WORK");
            statement_.kind = Eat("TO") ? Kind::kRollbackToSavepoint : Kind::kRollback;
            Eat("SAVEPOINT");
            statement_.savepoint = NameAt(at_);
        } else if (Eat("SAVEPOINT")) {
            statement_.kind = Kind::kSavepoint;
            statement_.savepoint = NameAt(at_);
        } else if (Eat("XA")) {
            if (Eat("COMMIT")) statement_.kind = Kind::kXaCommit;
            if (Eat("ROLLBACK")) statement_.kind = Kind::kXaRollback;
            if (Eat("START") || Eat("BEGIN")) statement_.kind = Kind::kBegin;
        } else if (Eat("TRUNCATE")) {
            Eat("TABLE");
            statement_.may_be_of_temporary = true;
            Add(TableEffect::Kind::kEmptied, TakeTable());
        } else if (Eat("CREATE")) {
            Create();
        } else if (Eat("DROP")) {
            Drop();
        } else if (Eat("RENAME")) {
            if (Eat("TABLE") || Eat("TABLES")) Rename();
        } else if (Eat("ALTER")) {
            Eat("ONLINE") || Eat("OFFLINE");
            const bool ignores = Eat("IGNORE");
            statement_.may_be_of_temporary = true;
            if (Eat("TABLE")) Alter(ignores);
        } else if (Eat("ANALYZE")) {
            // MariaDB's, of a statement: it is carried out.
            if (Eat("FORMAT") && Eat("=")) ++at_;
            const auto word = TextAt(at_);
            if (word == "INSERT" || word == "UPDATE" || word == "DELETE" || word == "REPLACE" ||
                word == "WITH" || word == "SELECT") {
                Rows();
            }
        } else if (Eat("INSERT") || Eat("UPDATE") || Eat("DELETE") || Eat("REPLACE") ||
                   Eat("LOAD") || Eat("WITH") || Eat("CALL")) {
            Rows();
        } else if (Eat("SELECT") || Eat("DO")) {
            // In the log only when it calls a function that changes rows.
            Rows();
            statement_.calls_function = true;
        }
        return std::move(statement_);
    }

  private:
    struct Name {
        std::string schema, table;
    };

    bool Eat(std::string_view word) {
        if (at_ >= tokens_.size() || tokens_[at_].text != word) return false;
        ++at_;
        return true;
    }

    // MariaDB's "SET STATEMENT a = 1, b = (…) FOR" in front of a statement. Should one of them be
    // the binlog_format: rows that a statement here changes are not in the log in any case.
    void SkipSettings() {
        if (at_ + 1 >= tokens_.size() || tokens_[at_].text != "SET" ||
            tokens_[at_ + 1].text != "STATEMENT") {
            return;
        }
        for (int depth = 0; at_ < tokens_.size(); ++at_) {
            const auto& word = tokens_[at_].text;
            if (word == "(") ++depth;
            if (word == ")") --depth;
            if (depth == 0 && word == "FOR") break;
        }
        Eat("FOR");
    }

    Name TakeTable() {
        Name name{database_, ""};
        if (at_ < tokens_.size() && tokens_[at_].is_name) name.table = tokens_[at_++].name;
        if (at_ + 1 < tokens_.size() && tokens_[at_].text == "." && tokens_[at_ + 1].is_name) {
            name.schema = std::move(name.table);
            name.table = tokens_[at_ + 1].name;
            at_ += 2;
        }
        return name;
    }

    void Add(TableEffect::Kind kind, const Name& name, std::string why = "") {
        if (name.table.empty()) return;
        statement_.effects.push_back({kind, name.schema, name.table, std::move(why)});
    }

    void Create() {
        const bool replaces = Eat("OR") && Eat("REPLACE");
        if (Eat("TEMPORARY") || !Eat("TABLE")) return;
        const bool if_not_there = Eat("IF");
        if (if_not_there) {
            Eat("NOT");
            Eat("EXISTS");
        }
        const auto name = TakeTable();
        if (HasQuery()) {
            Add(TableEffect::Kind::kReplaced, name,
                "it was made with the rows of a query, not binlog_format=ROW");
            return;
        }
        // It may be in the log even where the table was there, and was left as it was.
        Add(if_not_there && !replaces ? TableEffect::Kind::kDefined : TableEffect::Kind::kEmptied,
            name);
    }

    // Of the rest of CREATE TABLE. These words are reserved: nothing is called so without quotes.
    bool HasQuery() const {
        for (auto at = at_; at < tokens_.size(); ++at) {
            const auto& word = tokens_[at].text;
            if (word == "SELECT" || word == "TABLE") return true;
            if (word == "VALUES" && TextAt(at + 1) == "ROW") return true;
        }
        return false;
    }

    void Drop() {
        if (Eat("DATABASE") || Eat("SCHEMA")) {
            if (Eat("IF")) Eat("EXISTS");
            if (at_ < tokens_.size()) {
                statement_.effects.push_back(
                    {TableEffect::Kind::kDropped, tokens_[at_].name, "", ""});
            }
            return;
        }
        if (Eat("TEMPORARY") || !(Eat("TABLE") || Eat("TABLES"))) return;
        if (Eat("IF")) Eat("EXISTS");
        do {
            Add(TableEffect::Kind::kDropped, TakeTable());
        } while (Eat(","));
    }

    // What gh-ost puts in a table's place has its rows. "_orders_new" of pt-online-schema-change is
    // what a table that is made anew by hand is called as well, with whatever rows.
    static bool IsSuccessor(const Name& from, const Name& to) {
        return from.schema == to.schema && from.table == "_" + to.table + "_gho";
    }

    void Renamed(const Name& from, const Name& to) {
        Add(TableEffect::Kind::kDropped, from);
        if (IsSuccessor(from, to)) {
            Add(TableEffect::Kind::kSucceeded, to);
        } else {
            Add(TableEffect::Kind::kReplaced, to,
                "table " + from.schema + "." + from.table + " was renamed to it");
        }
    }

    void Rename() {
        if (Eat("IF")) Eat("EXISTS");
        do {
            const auto from = TakeTable();
            if (Eat("WAIT")) ++at_;
            Eat("NOWAIT");
            if (!Eat("TO")) return;
            Renamed(from, TakeTable());
        } while (Eat(","));
    }

    void Alter(bool ignores) {
        if (Eat("IF")) Eat("EXISTS");
        const auto name = TakeTable();
        Add(TableEffect::Kind::kDefined, name);
        if (!statement_.effects.empty()) AlterColumns(name);
        if (ignores) {
            Add(TableEffect::Kind::kReplaced, name,
                "ALTER IGNORE throws away rows that a new key does not tell apart");
        }
        for (; at_ < tokens_.size(); ++at_) {
            const auto& word = tokens_[at_].text;
            const auto next = TextAt(at_ + 1);
            const bool is_first = at_ == 0 || depth_ == 0;
            if (word == "(") ++depth_;
            if (word == ")") --depth_;
            if (!is_first) continue;
            if (word == "RENAME" && next != "COLUMN" && next != "INDEX" && next != "KEY") {
                ++at_;
                Eat("TO") || Eat("AS") || Eat("=");
                Renamed(name, TakeTable());
                return;
            }
            if (((word == "DROP" || word == "TRUNCATE" || word == "EXCHANGE" ||
                  word == "CONVERT") &&
                 next == "PARTITION") ||
                (word == "CONVERT" && next == "TABLE") ||
                ((word == "DISCARD" || word == "IMPORT") &&
                 (next == "TABLESPACE" || next == "PARTITION"))) {
                ChangesRows(name, word + " " + std::string(next));
            }
        }
    }

    // Rows of `name`, and of whatever other table the partition comes from or goes to.
    void ChangesRows(const Name& name, const std::string& how) {
        const auto why = how + " changed its rows";
        Add(TableEffect::Kind::kReplaced, name, why);
        at_ += 2;
        if (how == "CONVERT TABLE") {
            Add(TableEffect::Kind::kDropped, TakeTable());
        } else if (how == "EXCHANGE PARTITION" || how == "CONVERT PARTITION") {
            ++at_;
            if (!Eat("WITH") && !Eat("TO")) return;
            Eat("TABLE");
            Add(TableEffect::Kind::kReplaced, TakeTable(), why);
        }
    }

    std::string_view TextAt(std::size_t at) const {
        return at < tokens_.size() ? std::string_view(tokens_[at].text) : "";
    }
    // In small letters, as columns are compared.
    std::string NameAt(std::size_t at) const {
        return at < tokens_.size() ? SmallLetters(tokens_[at].name) : std::string();
    }

    // Whether what is added or dropped is something else than a column. A column may be called by
    // a word that is not reserved.
    bool IsNoColumn(std::size_t at) const {
        static const std::set<std::string_view> others = {
            "INDEX",   "KEY",        "UNIQUE", "FULLTEXT", "SPATIAL",  "FOREIGN",
            "PRIMARY", "CONSTRAINT", "CHECK",  "DEFAULT",  "PARTITION"};
        const auto word = TextAt(at), next = TextAt(at + 1);
        return others.contains(word) || (word == "PERIOD" && (next == "FOR" || next == "IF")) ||
               (word == "SYSTEM" && next == "VERSIONING");
    }

    // Those of "(a int, b decimal(1, 0), INDEX (a))", from behind the first parenthesis on.
    void AddColumns(std::size_t at, std::vector<std::string>& added) const {
        bool is_first_word = true;
        for (int depth = 0; at < tokens_.size() && depth >= 0; ++at) {
            if (is_first_word && !IsNoColumn(at)) added.push_back(NameAt(at));
            const auto word = TextAt(at);
            if (word == "(") ++depth;
            if (word == ")") --depth;
            is_first_word = depth == 0 && word == ",";
        }
    }

    // The log names columns as they were called when a row was written: which is which after one
    // got another's name is said by the statement only.
    void AlterColumns(const Name& table) {
        TableEffect& defined = statement_.effects.front();
        TableEffect replaced{TableEffect::Kind::kReplaced, table.schema, table.table};
        int depth = 0;
        for (std::size_t at = at_; at < tokens_.size(); ++at) {
            const auto word = TextAt(at);
            if (word == "(") ++depth;
            if (word == ")") --depth;
            if (depth != 0) continue;
            std::size_t column = at + (TextAt(at + 1) == "COLUMN" ? 2 : 1);
            if (TextAt(column) == "IF") column += TextAt(column + 1) == "NOT" ? 3 : 2;
            if (word == "DROP" && !IsNoColumn(at + 1)) {
                defined.dropped.push_back(NameAt(column));
            } else if (word == "ADD" && TextAt(column) == "(") {
                AddColumns(column + 1, defined.added);
            } else if (word == "ADD" && !IsNoColumn(at + 1)) {
                defined.added.push_back(NameAt(column));
            } else if (word == "MODIFY" ||
                       ((word == "SET" || word == "DROP") && TextAt(at + 1) == "DEFAULT")) {
                defined.changes_defaults = true;
            } else if (word == "CHANGE" || (word == "RENAME" && TextAt(at + 1) == "COLUMN")) {
                const auto to = column + (word == "CHANGE" ? 1 : 2);
                defined.changes_defaults = true;
                if (to >= tokens_.size() || NameAt(column) == NameAt(to)) continue;
                const auto& names =
                    replaced.renamed.emplace_back(tokens_[column].name, tokens_[to].name);
                replaced.why =
                    fmt::format("its column {} was renamed to {}", names.first, names.second);
            } else if (word == "ADD" && TextAt(at + 1) == "SYSTEM" &&
                       TextAt(at + 2) == "VERSIONING") {
                replaced.why = "it keeps its former rows now (system versioning)";
            }
        }
        if (!replaced.why.empty()) statement_.effects.push_back(std::move(replaced));
    }

    void Rows() {
        statement_.kind = Statement::Kind::kRows;
        for (; at_ < tokens_.size(); ++at_) {
            if (tokens_[at_].is_name) {
                Add(TableEffect::Kind::kReplaced, {"", tokens_[at_].name},
                    "a statement changed its rows, not binlog_format=ROW");
            }
        }
    }

    const std::vector<Token> tokens_;
    const std::string& database_;
    Statement statement_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace

Statement ReadStatement(std::string_view sql, const std::string& database, bool has_backslashes) {
    return Parser(Tokenizer(sql, has_backslashes).All(), database).Parse();
}

}  // namespace biwa::mysql
