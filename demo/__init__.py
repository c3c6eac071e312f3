"""The main job before one's eyes: a rollout of `orders` under load, on the real mesh, counted and summed up.

It uses kubectl for everything it does to the cluster, as its spectators would.
"""
