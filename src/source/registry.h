// The kinds of sources there are. Filled by explicit calls from app/.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/setting.h"
#include "source/source.h"

namespace biwa {

// A connection's settings by name, secrets resolved; what was left out has its default or is
// absent.
using SettingValues = std::map<std::string, std::string>;

// What of a stream its source looks at for `biwa doctor`.
struct StreamToExamine {
    std::string name;  // in the project
    std::vector<std::string> tables;
    std::function<bool(const SourceTable&)> is_excluded;  // of those
    TableParts only;
    // Where the stream has begun: what mends it when what it made at the source is gone.
    std::optional<std::string> mend_of_loss;
};

// One configured connection.
class Source {
  public:
    virtual ~Source() = default;
    // The source's end of a stream. `stream`: its name in the project, unique in the instance.
    // Nothing but these parts of the tables in `only` leaves the source; kUser where it cannot.
    virtual Result<std::unique_ptr<StreamSource>> OpenStream(const std::string& stream,
                                                             const TableParts& only) = 0;
    // Looks at whatever could hinder the stream; changes nothing. An error is one of reaching the
    // source at all.
    virtual Result<std::vector<Finding>> Examine(const StreamToExamine& stream) = 0;
};

struct SourceKind {
    std::string description;
    std::vector<Setting> settings;
    std::function<Result<std::unique_ptr<Source>>(const SettingValues&)> open;
    // The settings out of an address such as "postgres://user@host/database"; may be null.
    std::function<Result<SettingValues>(const std::string& url)> parse_url;
    // The schema whose tables keep their names in the warehouse; null: "public". Secrets need not
    // be resolved for it.
    std::function<std::string(const SettingValues&)> usual_schema;
};

class SourceRegistry {
  public:
    void Add(std::string name, SourceKind kind) { kinds_[std::move(name)] = std::move(kind); }
    const SourceKind* Find(const std::string& name) const {
        const auto found = kinds_.find(name);
        return found == kinds_.end() ? nullptr : &found->second;
    }
    const std::map<std::string, SourceKind>& kinds() const { return kinds_; }

  private:
    std::map<std::string, SourceKind> kinds_;
};

}  // namespace biwa
