#include "source/mysql/result_rows.h"

#include <fmt/format.h>

#include "base/text.h"

namespace biwa::mysql {

namespace {

// How the server sends values of a type in a prepared statement's rows.
ValueSize SizeOf(enum_field_types type) {
    using Form = ValueSize::Form;
    switch (type) {
        case MYSQL_TYPE_TINY:
            return {Form::kFixed, 1};
        case MYSQL_TYPE_SHORT:
        case MYSQL_TYPE_YEAR:
            return {Form::kFixed, 2};
        case MYSQL_TYPE_INT24:
        case MYSQL_TYPE_LONG:
        case MYSQL_TYPE_FLOAT:
            return {Form::kFixed, 4};
        case MYSQL_TYPE_LONGLONG:
        case MYSQL_TYPE_DOUBLE:
            return {Form::kFixed, 8};
        case MYSQL_TYPE_DATE:
        case MYSQL_TYPE_TIME:
        case MYSQL_TYPE_DATETIME:
        case MYSQL_TYPE_TIMESTAMP:
            return {Form::kPrefix, 1};
        default:
            return {Form::kPacked, 0};
    }
}

}  // namespace

ResultRows::ResultRows(Connection connection, std::vector<ColumnDecoder> decoders,
                       std::string doing, GiveBack give_back,
                       std::atomic<std::uint64_t>* unrepresentable)
    : connection_(std::move(connection)),
      decoders_(std::move(decoders)),
      doing_(std::move(doing)),
      give_back_(std::move(give_back)),
      unrepresentable_(unrepresentable),
      statement_(mysql_stmt_init(connection_->raw())) {}

ResultRows::~ResultRows() {
    if (!connection_) return;
    // What is still to be sent would have to be read first: the connection goes instead.
    connection_.reset();
    statement_.reset();
    give_back_(std::nullopt);
}

Result<std::unique_ptr<ResultRows>> ResultRows::Open(Connection connection, const std::string& sql,
                                                     std::vector<ColumnDecoder> decoders,
                                                     std::string doing, GiveBack give_back,
                                                     std::atomic<std::uint64_t>* unrepresentable) {
    std::unique_ptr<ResultRows> rows(new ResultRows(std::move(connection), std::move(decoders),
                                                    std::move(doing), std::move(give_back),
                                                    unrepresentable));
    BIWA_TRY(rows->Execute(sql));
    return rows;
}

Error ResultRows::StatementError() const {
    return Error{KindOfError(mysql_stmt_errno(statement_.get())),
                 fmt::format("{}: {}", doing_, HidePasswords(mysql_stmt_error(statement_.get()))),
                 ""};
}

Status ResultRows::Execute(const std::string& sql) {
    auto* const statement = statement_.get();
    if (statement == nullptr) return Unavailable(doing_ + ": out of memory");
    if (mysql_stmt_prepare(statement, sql.data(), static_cast<unsigned long>(sql.size())) != 0) {
        return tl::unexpected(StatementError());
    }
    BIWA_TRY(CheckFields());
    mysql_stmt_attr_set(statement, STMT_ATTR_CB_USER_DATA, this);
    mysql_stmt_attr_set(statement, STMT_ATTR_CB_RESULT, reinterpret_cast<const void*>(&OnColumn));
    if (mysql_stmt_execute(statement) != 0) return tl::unexpected(StatementError());
    return {};
}

Status ResultRows::CheckFields() {
    const std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> fields(
        mysql_stmt_result_metadata(statement_.get()), mysql_free_result);
    if (!fields || mysql_num_fields(fields.get()) != decoders_.size()) {
        return Corrupt(doing_ + ": the server sends other columns than were asked for");
    }
    for (std::size_t i = 0; i < decoders_.size(); ++i) {
        const auto& field = *mysql_fetch_field_direct(fields.get(), static_cast<unsigned>(i));
        const auto sent = SizeOf(field.type);
        const auto& known = decoders_[i].result_size;
        if (sent.form == known.form && sent.bytes == known.bytes) continue;
        // The next attempt begins with the types that there are then.
        return Unavailable(fmt::format("{}: column {} has another type than a moment ago", doing_,
                                       decoders_[i].info.name));
    }
    return {};
}

void ResultRows::OnColumn(void* self, unsigned column, unsigned char** bytes) {
    static_cast<ResultRows*>(self)->ReadColumn(column, bytes);
}

void ResultRows::ReadColumn(unsigned column, unsigned char** bytes) {
    auto& cells = block_->columns[column];
    if (bytes == nullptr) {
        cells.SetNull(row_);
        return;
    }
    // The library does not say where the packet ends; its buffer's end keeps us inside.
    const auto* const at = reinterpret_cast<const char*>(*bytes);
    const auto* const end = reinterpret_cast<const char*>(connection_->raw()->net.buff_end);
    std::string_view rest(at, end > at ? static_cast<std::size_t>(end - at) : 0);
    std::string_view value;
    const auto& decoder = decoders_[column];
    if (!TakeValue(decoder.result_size, rest, value) ||
        !decoder.result(decoder, value, cells, row_, context_)) {
        bad_column_ = static_cast<int>(column);
        cells.SetNull(row_);
    }
    *bytes += rest.data() - at;
}

Result<std::size_t> ResultRows::Fill(RowBlock& block) {
    if (ended_) return std::size_t{0};
    arena_ = Arena();
    context_.arena = &arena_;
    block_ = &block;
    for (row_ = 0; row_ < kBlockRows; ++row_) {
        const int fetched = mysql_stmt_fetch(statement_.get());
        if (fetched == MYSQL_NO_DATA) {
            ended_ = true;
            statement_.reset();
            auto connection = std::move(*connection_);
            connection_.reset();
            give_back_(std::move(connection));
            break;
        }
        if (fetched != 0) return tl::unexpected(StatementError());
        if (bad_column_ >= 0) {
            const auto& decoder = decoders_[static_cast<std::size_t>(bad_column_)];
            return Corrupt(fmt::format("{}: column {} of a row is no {}", doing_, decoder.info.name,
                                       ToSql(decoder.type)));
        }
    }
    if (unrepresentable_ != nullptr)
        *unrepresentable_ += std::exchange(context_.unrepresentable, 0);
    return row_;
}

}  // namespace biwa::mysql
