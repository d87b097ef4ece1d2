-- Nodes are of two kinds: those that a process of ours runs and forgets at its end, and those that an
-- operator has added.
alter table node add column is_hosted boolean not null default false;
