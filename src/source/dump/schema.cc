#include "source/dump/schema.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <set>

namespace biwa::dump {

namespace {

using postgres::Oid;

constexpr Oid kFirstOwnOid = 1'000'000;
// A partition of a partition of …, or what is nonsense.
constexpr int kDepthMax = 64;

// The types whose values are read as what they are, by the names that format_type gives them and
// those that people write; all others are text. OIDs: pg_type.dat.
const std::map<std::string, Oid>& BuiltIn() {
    static const std::map<std::string, Oid> types = {
        {"boolean", 16},
        {"bool", 16},
        {"bytea", 17},
        {"name", 19},
        {"bigint", 20},
        {"int8", 20},
        {"bigserial", 20},
        {"smallint", 21},
        {"int2", 21},
        {"integer", 23},
        {"int", 23},
        {"int4", 23},
        {"serial", 23},
        {"text", 25},
        {"oid", 26},
        {"json", 114},
        {"real", 700},
        {"float4", 700},
        {"double precision", 701},
        {"float8", 701},
        {"float", 701},
        {"money", 790},
        {"character", 1042},
        {"char", 1042},
        {"bpchar", 1042},
        {"character varying", 1043},
        {"varchar", 1043},
        {"date", 1082},
        {"time", 1083},
        {"time without time zone", 1083},
        {"timestamp", 1114},
        {"timestamp without time zone", 1114},
        {"timestamptz", 1184},
        {"timestamp with time zone", 1184},
        {"interval", 1186},
        {"numeric", 1700},
        {"decimal", 1700},
        {"uuid", 2950},
        {"jsonb", 3802},
    };
    return types;
}

// Reads tokens from the front.
class Reader {
  public:
    explicit Reader(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

    bool at_end() const { return at_ == tokens_.size(); }
    const Token* Peek(std::size_t ahead = 0) const {
        return at_ + ahead < tokens_.size() ? &tokens_[at_ + ahead] : nullptr;
    }
    bool Is(std::string_view word) const { return !at_end() && tokens_[at_].Is(word); }
    bool IsSymbol(char c) const { return !at_end() && tokens_[at_].IsSymbol(c); }
    bool Eat(std::string_view word) {
        if (!Is(word)) return false;
        ++at_;
        return true;
    }
    bool EatSymbol(char c) {
        if (!IsSymbol(c)) return false;
        ++at_;
        return true;
    }
    std::optional<std::string> Name() {
        if (at_end() || !tokens_[at_].IsName()) return std::nullopt;
        return tokens_[at_++].text;
    }
    // "schema.table"; one without a schema is of public.
    std::optional<std::string> QualifiedName() {
        auto name = Name();
        if (!name) return std::nullopt;
        if (!EatSymbol('.')) return "public." + *name;
        const auto second = Name();
        if (!second) return std::nullopt;
        return *name + "." + *second;
    }
    // "(a, b)"
    std::optional<std::vector<std::string>> Names() {
        std::vector<std::string> names;
        if (!EatSymbol('(')) return std::nullopt;
        do {
            auto name = Name();
            if (!name) return std::nullopt;
            names.push_back(std::move(*name));
        } while (EatSymbol(','));
        if (!EatSymbol(')')) return std::nullopt;
        return names;
    }
    std::optional<TypeName> Type();
    // Up to the comma or bracket that ends what stands here.
    void PassOver() {
        for (int depth = 0; !at_end(); ++at_) {
            if (depth == 0 && (IsSymbol(',') || IsSymbol(')'))) return;
            if (IsSymbol('(') || IsSymbol('[')) ++depth;
            if (IsSymbol(')') || IsSymbol(']')) --depth;
        }
    }

  private:
    std::vector<Token> tokens_;
    std::size_t at_ = 0;
};

std::optional<TypeName> Reader::Type() {
    // What may follow a type in the definition of a column or a domain.
    static const std::set<std::string, std::less<>> kEnds = {
        "collate",     "not",     "null",    "default", "generated", "constraint",
        "compression", "storage", "primary", "unique",  "check",     "references"};
    TypeName type;
    auto name = Name();
    if (!name) return std::nullopt;
    if (EatSymbol('.')) {
        const auto second = Name();
        if (!second) return std::nullopt;
        *name += "." + *second;
    } else if (tokens_[at_ - 1].kind == Token::Kind::kIdentifier) {
        // "char" in quotes is not char.
        *name = "\"" + *name + "\"";
    }
    type.name = std::move(*name);
    for (;;) {
        if (EatSymbol('(')) {
            std::string argument;
            for (; !at_end() && !IsSymbol(')'); ++at_) {
                if (!IsSymbol(',')) {
                    argument += tokens_[at_].text;
                    continue;
                }
                type.arguments.push_back(std::move(argument));
                argument.clear();
            }
            type.arguments.push_back(std::move(argument));
            if (!EatSymbol(')')) return std::nullopt;
        } else if (EatSymbol('[')) {
            if (!at_end() && tokens_[at_].kind == Token::Kind::kNumber) ++at_;
            if (!EatSymbol(']')) return std::nullopt;
            type.is_array = true;
        } else if (!at_end() && tokens_[at_].kind == Token::Kind::kWord &&
                   !kEnds.contains(tokens_[at_].text)) {
            type.name += " " + tokens_[at_++].text;
        } else {
            break;
        }
    }
    constexpr std::string_view kCatalog = "pg_catalog.";
    if (type.name.starts_with(kCatalog)) type.name.erase(0, kCatalog.size());
    // "interval day to second" is one.
    if (type.name.starts_with("interval ")) type.name = "interval";
    return type;
}

// What stands between the brackets of CREATE TABLE; false when it is not understood.
bool ReadColumns(Reader& reader, TableText& table) {
    do {
        static constexpr std::string_view kOthers[] = {"constraint", "check",   "unique",
                                                       "foreign",    "exclude", "like"};
        bool is_other = false;
        for (const auto word : kOthers) is_other = is_other || reader.Is(word);
        // A column may have such a name; then a type follows it.
        if (reader.Is("primary") && reader.Peek(1) != nullptr && reader.Peek(1)->Is("key")) {
            reader.Eat("primary");
            reader.Eat("key");
            auto key = reader.Names();
            if (!key) return false;
            table.key = std::move(*key);
        } else if (!is_other) {
            ColumnText column;
            auto name = reader.Name();
            if (!name) return false;
            auto type = reader.Type();
            if (!type) return false;
            column.name = std::move(*name);
            column.type = std::move(*type);
            if (reader.Is("primary")) table.key = {column.name};
            table.columns.push_back(std::move(column));
        }
        reader.PassOver();
    } while (reader.EatSymbol(','));
    return true;
}

}  // namespace

Result<CopyText> ParseCopy(std::string_view statement) {
    Reader reader(Tokenize(statement));
    CopyText copy;
    const auto bad = [] { return UserError("this COPY is none of pg_dump's"); };
    if (!reader.Eat("copy")) return bad();
    auto table = reader.QualifiedName();
    if (!table) return bad();
    copy.table = std::move(*table);
    if (reader.IsSymbol('(')) {
        // Of a table without columns there is nothing between them.
        if (reader.Peek(1) == nullptr || !reader.Peek(1)->IsSymbol(')')) {
            auto columns = reader.Names();
            if (!columns) return bad();
            copy.columns = std::move(*columns);
        } else {
            reader.EatSymbol('(');
            reader.EatSymbol(')');
        }
    }
    if (!reader.Eat("from") || !reader.Eat("stdin") || !reader.at_end()) return bad();
    return copy;
}

Result<TableText> Schema::ParseColumns(std::string_view text) {
    Reader reader(Tokenize(text));
    TableText table;
    if (ReadColumns(reader, table) && reader.at_end()) return table;
    return UserError("columns are written as in CREATE TABLE",
                     "For example: id bigint, name text, at timestamptz, PRIMARY KEY (id)");
}

void Schema::Take(std::string_view statement) {
    Reader reader(Tokenize(statement));
    if (reader.Eat("insert")) {
        has_inserts_ = has_inserts_ || reader.Is("into");
    } else if (reader.Eat("set")) {
        if (!reader.Eat("client_encoding") || !reader.EatSymbol('=')) return;
        if (const auto* value = reader.Peek()) encoding_ = value->text;
    } else if (reader.Eat("create")) {
        if (reader.Eat("type")) {
            const auto name = reader.QualifiedName();
            if (name && reader.Eat("as") && reader.Is("enum")) enums_.insert(*name);
        } else if (reader.Eat("domain")) {
            const auto name = reader.QualifiedName();
            if (!name || !reader.Eat("as")) return;
            if (auto type = reader.Type()) domains_[*name] = std::move(*type);
        } else {
            reader.Eat("unlogged");
            if (!reader.Eat("table")) return;
            const auto name = reader.QualifiedName();
            TableText table;
            if (!name || !reader.EatSymbol('(')) return;
            // One whose columns are all inherited has none here.
            if (!reader.IsSymbol(')') && !ReadColumns(reader, table)) return;
            if (!reader.EatSymbol(')')) return;
            if (reader.Eat("inherits") && reader.EatSymbol('(')) {
                do {
                    if (auto parent = reader.QualifiedName()) {
                        table.parents.push_back(std::move(*parent));
                    }
                } while (reader.EatSymbol(','));
            }
            tables_[*name] = std::move(table);
        }
    } else if (reader.Eat("alter") && reader.Eat("table")) {
        reader.Eat("only");
        const auto name = reader.QualifiedName();
        if (!name) return;
        if (reader.Eat("attach") && reader.Eat("partition")) {
            if (const auto part = reader.QualifiedName()) parts_[*part] = *name;
            return;
        }
        const auto table = tables_.find(*name);
        if (table == tables_.end() || !reader.Eat("add") || !reader.Eat("constraint")) return;
        if (!reader.Name() || !reader.Eat("primary") || !reader.Eat("key")) return;
        if (auto key = reader.Names()) table->second.key = std::move(*key);
    }
}

const TableText* Schema::Find(const std::string& table) const {
    const auto found = tables_.find(table);
    return found == tables_.end() ? nullptr : &found->second;
}

const std::string& Schema::RootOf(const std::string& table) const {
    const auto* root = &table;
    for (int depth = 0; depth < kDepthMax; ++depth) {
        const auto found = parts_.find(*root);
        if (found == parts_.end()) break;
        root = &found->second;
    }
    return *root;
}

const ColumnText* Schema::FindColumn(const std::string& table, const std::string& column) const {
    std::vector<std::string> tables = {table};
    for (std::size_t i = 0; i < tables.size() && i < kDepthMax; ++i) {
        const auto* text = Find(tables[i]);
        if (text == nullptr) continue;
        for (const auto& one : text->columns) {
            if (one.name == column) return &one;
        }
        tables.insert(tables.end(), text->parents.begin(), text->parents.end());
    }
    return nullptr;
}

Oid Schema::OidOf(const std::string& type) {
    if (const auto built_in = BuiltIn().find(type); built_in != BuiltIn().end()) {
        return built_in->second;
    }
    const auto [found, is_new] = oids_.emplace(type, kFirstOwnOid + static_cast<Oid>(oids_.size()));
    if (!is_new) return found->second;
    const auto oid = found->second;
    postgres::TypeInfo info{oid, type};
    // Its text is all that there is.
    info.send = "";
    if (type == "box") info.delimiter = ';';
    if (enums_.contains(type)) info.kind = 'e';
    catalog_[oid] = info;
    return oid;
}

TypeName Schema::WithoutDomains(TypeName type) const {
    for (int depth = 0; depth < kDepthMax; ++depth) {
        const auto domain = domains_.find(type.name);
        // An array of arrays is none of PostgreSQL's types, but one of such a domain is: text.
        if (domain == domains_.end() || (type.is_array && domain->second.is_array)) break;
        const bool is_array = type.is_array;
        type = domain->second;
        type.is_array = type.is_array || is_array;
    }
    return type;
}

postgres::ColumnDecoder Schema::DecoderOf(const TypeName& written, int dimensions) {
    const auto type = WithoutDomains(written);
    const auto number = [&](std::size_t i) {
        int value = 0;
        if (i >= type.arguments.size()) return value;
        const auto& text = type.arguments[i];
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    };
    std::int32_t modifier = -1;
    const bool is_numeric = type.name == "numeric" || type.name == "decimal";
    if (is_numeric && !type.arguments.empty()) {
        // numeric.c, make_numeric_typmod
        modifier = ((number(0) & 0x3fff) << 16 | (number(1) & 0x7ff)) + 4;
    }
    const auto oid = OidOf(type.name);
    if (!type.is_array) return postgres::DecoderFor(oid, modifier, catalog_);
    const auto array = OidOf(type.name + "[]");
    if (!domains_.contains(type.name)) catalog_[array].element = oid;
    return postgres::DecoderFor(array, modifier, catalog_, dimensions);
}

}  // namespace biwa::dump
