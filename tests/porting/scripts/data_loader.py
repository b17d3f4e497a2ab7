"""A data set of one's own, split and loaded in batches, with a line of progress."""

import torch


def train(given):
    Dataset, DataLoader = torch.utils.data.Dataset, torch.utils.data.DataLoader

    class Waves(Dataset):
        def __init__(self, n, transform=None):
            self.x = given.normal(n, 3).numpy()
            self.y = given.integers(2, n)
            self.transform = transform

        def __len__(self):
            return len(self.x)

        def __getitem__(self, index):
            x = torch.from_numpy(self.x[index])
            if self.transform:
                x = self.transform(x)
            return {"x": x, "y": self.y[index]}

    def collate(samples):
        keys = samples[0].keys()
        return {k: torch.stack([s[k] for s in samples]) for k in keys}

    data = Waves(40, transform=lambda x: (x - x.mean()) / x.std())
    train_set = torch.utils.data.Subset(data, range(30))
    val_set = torch.utils.data.Subset(data, list(range(30, 40)))
    loader = DataLoader(train_set, batch_size=8, shuffle=False, num_workers=0, collate_fn=collate)
    order = torch.utils.data.BatchSampler(range(9, -1, -1), batch_size=4, drop_last=True)
    val_loader = DataLoader(val_set, batch_sampler=order)
    model = given.fill(torch.nn.Linear(3, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    criterion = torch.nn.CrossEntropyLoss(reduction="none")
    history = []
    for epoch in range(2):
        model.train()
        running = 0.0
        for batch_idx, batch in enumerate(loader, 1):
            optimizer.zero_grad()
            loss = criterion(model(batch["x"]), batch["y"]).mean()
            loss.backward()
            optimizer.step()
            running += loss.item() * batch["x"].size(0)
        history.append(running / len(loader.dataset))
        model.eval()
        with torch.no_grad():
            correct = sum((model(b["x"]).argmax(1) == b["y"]).sum().item() for b in val_loader)
        history.append(correct / len(val_set) + batch_idx + len(val_loader))
    tensors = torch.utils.data.TensorDataset(given.normal(10, 3), given.integers(2, 10))
    for x, y in DataLoader(tensors, batch_size=4):
        history.append(criterion(model(x), y).sum().item())
    return history
