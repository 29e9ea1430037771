//! Strongly connected components, without recursion.

/// The components of a graph given by the successors of each node, successors before
/// predecessors. Inside a component the nodes are in ascending order.
pub(super) fn components(successors: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let mut tarjan = Tarjan {
        successors,
        index: vec![u32::MAX; successors.len()],
        low: vec![0; successors.len()],
        on_stack: vec![false; successors.len()],
        stack: Vec::new(),
        next: 0,
        found: Vec::new(),
    };
    for node in 0..successors.len() as u32 {
        if tarjan.index[node as usize] == u32::MAX {
            tarjan.visit(node);
        }
    }
    tarjan.found
}

struct Tarjan<'a> {
    successors: &'a [Vec<u32>],
    index: Vec<u32>,
    low: Vec<u32>,
    on_stack: Vec<bool>,
    stack: Vec<u32>,
    next: u32,
    found: Vec<Vec<u32>>,
}

impl Tarjan<'_> {
    fn open(&mut self, node: u32) {
        let at = node as usize;
        self.index[at] = self.next;
        self.low[at] = self.next;
        self.next += 1;
        self.stack.push(node);
        self.on_stack[at] = true;
    }

    fn visit(&mut self, root: u32) {
        self.open(root);
        // A node and how many of its successors were looked at.
        let mut path: Vec<(u32, usize)> = vec![(root, 0)];
        while let Some((node, seen)) = path.last_mut() {
            let (node, at) = (*node, *node as usize);
            if let Some(&next) = self.successors[at].get(*seen) {
                *seen += 1;
                let next_at = next as usize;
                if self.index[next_at] == u32::MAX {
                    self.open(next);
                    path.push((next, 0));
                } else if self.on_stack[next_at] {
                    self.low[at] = self.low[at].min(self.index[next_at]);
                }
                continue;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                let parent = *parent as usize;
                self.low[parent] = self.low[parent].min(self.low[at]);
            }
            if self.low[at] == self.index[at] {
                self.close(node);
            }
        }
    }

    fn close(&mut self, root: u32) {
        let mut component = Vec::new();
        while let Some(node) = self.stack.pop() {
            self.on_stack[node as usize] = false;
            component.push(node);
            if node == root {
                break;
            }
        }
        component.sort_unstable();
        self.found.push(component);
    }
}

#[cfg(test)]
mod tests {
    use super::components;

    #[test]
    fn components_come_successors_first() {
        // 0 → 1 ⇄ 2, 3 → 0, 4 → 4
        let graph = [vec![1], vec![2], vec![1], vec![0], vec![4]];
        let found = components(&graph);
        assert_eq!(found, [vec![1, 2], vec![0], vec![3], vec![4]]);
    }

    #[test]
    fn a_long_chain_needs_no_stack() {
        let len = 200_000;
        let chain: Vec<Vec<u32>> = (0..len)
            .map(|n| if n + 1 < len { vec![n + 1] } else { vec![] })
            .collect();
        assert_eq!(components(&chain).len(), len as usize);
    }
}
