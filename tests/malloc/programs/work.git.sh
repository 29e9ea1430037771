# A repository from nothing to packed, with dates and names that make its ids the same every time.
set -e
export GIT_AUTHOR_DATE='2001-02-03T04:05:06Z' GIT_COMMITTER_DATE='2001-02-03T04:05:06Z'
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null HOME=$PWD
rm -rf repository
git init -q -b main repository
cd repository
git config gc.auto 0
git config pack.threads 2
for round in 1 2 3 4; do
    for file in $(seq 1 60); do
        seq "$file" $((file * round * 7)) > "file$file"
    done
    git add .
    git commit -q -m "round $round"
done
git checkout -q -b side HEAD~2
seq 1 500 > side
git add side
git commit -q -m side
git merge -q -m merge -X ours main
git gc -q --aggressive
git fsck --full
git log --stat --format='%H %s' | tail -100
git grep -c 7 | tail -5
git blame file9 | tail -3
git diff --stat HEAD~3
