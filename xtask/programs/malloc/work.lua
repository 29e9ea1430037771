-- Ordinary Lua: tables as records and as arrays, strings built and cut, closures.

local total = 0
for turn = 1, 2 do
  local rows, seen = {}, {}
  for i = 1, 60000 do
    local name = "name" .. (i * 7919 % 20011)
    rows[i] = { id = i, name = name, area = function() return i * turn end }
    seen[name] = (seen[name] or 0) + 1
  end
  table.sort(rows, function(a, b)
    return a.name < b.name or (a.name == b.name and a.id < b.id)
  end)
  local parts = {}
  for i, row in ipairs(rows) do
    parts[i] = row.name:sub(5) .. ":" .. row.area() % 97
  end
  local text = table.concat(parts, " ")
  local words = 0
  for _ in text:gmatch("%d+:") do
    words = words + 1
  end
  total = total + #text + words
end
print("checksum=" .. total)
