// Reads a YAML document against the description of its settings.
//
// What comes in is an outsider's text: every document ends in values or in problems with a place,
// never in an exception. Anchors, aliases and merge keys ("<<") are followed, within a limit.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/setting.h"
#include "project/problems.h"
#include "project/project.h"

namespace biwa {

// A value that has been checked, or the default of one that was left out.
struct Checked {
    SourceLocation location;
    bool is_default = false;                // not in the file
    std::string text;                       // of a text, number, boolean, duration, size
    std::vector<Checked> items;             // of a list
    std::map<std::string, Checked> fields;  // of an object or map

    const Checked* Find(const std::string& name) const;
    // Of a field; empty, 0 or false where it is absent, or was wrong and is among the problems.
    std::string Text(const std::string& name) const;
    std::int64_t Integer(const std::string& name) const;
    bool Boolean(const std::string& name) const;
    std::chrono::milliseconds Duration(const std::string& name) const;
    std::uint64_t Bytes(const std::string& name) const;
    std::vector<std::string> Texts(const std::string& name) const;
    // Of the field, or of this value where there is none.
    SourceLocation Place(const std::string& name) const;
};

enum class OtherNames { kRefused, kAccepted };

class YamlDocument {
  public:
    // `file` is for the locations. Nothing when the text is not YAML.
    static std::optional<YamlDocument> Parse(const std::string& file, std::string_view text,
                                             Problems& problems);

    // The text of a setting at the top, before its description is known.
    std::optional<Checked> Peek(const std::string& name) const;

    // The values. What is wrong is added to the problems and left out.
    Checked Check(const std::vector<Setting>& settings, OtherNames others,
                  Problems& problems) const;

  private:
    struct Tree;
    explicit YamlDocument(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}
    std::shared_ptr<const Tree> tree_;
    friend class YamlChecker;
};

}  // namespace biwa
