(* Binary trees: the program of binary_trees.c. *)

type tree = Leaf | Node of tree * tree

let rec make depth =
  if depth = 0 then Node (Leaf, Leaf)
  else
    let left = make (depth - 1) in
    let right = make (depth - 1) in
    Node (left, right)

let rec count = function
  | Leaf -> 0
  | Node (left, right) -> 1 + count left + count right

let rec many n depth total =
  if n = 0 then total else many (n - 1) depth (total + count (make depth))

let rec deeper depth deepest total =
  if depth > deepest then total
  else
    deeper (depth + 2) deepest
      (many (1 lsl (deepest - depth + 4)) depth total)

let () =
  let deepest = int_of_string Sys.argv.(1) in
  let stretched = count (make (deepest + 1)) in
  let kept = make deepest in
  let total = deeper 4 deepest stretched in
  Printf.printf "checksum %d\n" (total + count kept)
